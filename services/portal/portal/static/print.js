// Buttons that print the page.
(function () {
  'use strict';
  document.querySelectorAll('[data-print]').forEach(function (button) {
    button.classList.remove('unready'); // its place was kept: nothing moves
    button.addEventListener('click', function () { window.print(); });
  });
})();
