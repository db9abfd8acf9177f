// The page before PayPal's: nobody has to press its button.
(function () {
  'use strict';

  var way = document.getElementById('leave');
  if (!way) return;
  if (way.tagName === 'FORM') way.submit();
  else location.replace(way.href);
})();
