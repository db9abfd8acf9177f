// Making an invoice: another line without a way to the server and back. Without this script the button asks the server.
(function () {
  'use strict';

  var more = document.getElementById('more-lines'), lines = document.getElementById('lines');
  if (!more || !lines) return;
  more.addEventListener('click', function (event) {
    event.preventDefault();
    var line = lines.lastElementChild.cloneNode(true);
    Array.prototype.forEach.call(line.querySelectorAll('input, select'), function (field) {
      if (field.tagName === 'SELECT') field.selectedIndex = 0;
      else field.value = '';
      field.removeAttribute('aria-invalid');
    });
    Array.prototype.forEach.call(line.querySelectorAll('.wrong'), function (words) { words.remove(); });
    lines.append(line);
    line.querySelector('input').focus();
  });
})();
