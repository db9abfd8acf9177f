// The client field: offers who fits what is typed, as a list that the keyboard reaches. Without this script the field
// takes a whole name or e-mail address.
(function () {
  'use strict';

  // Also for fields that a script makes: `box` holds the field, a hidden input for the id, and a list with an id.
  window.clientField = function (box) {
    var words = box.querySelector('[role=combobox]'), id = box.querySelector('input[type=hidden]');
    var list = box.querySelector('[role=listbox]'), timer = null, asked = 0, at = -1;

    function close() {
      list.hidden = true;
      at = -1;
      words.setAttribute('aria-expanded', 'false');
      words.removeAttribute('aria-activedescendant');
    }

    function pick(option) {
      id.value = option.dataset.id;
      words.value = option.dataset.name;
      close();
      words.dispatchEvent(new CustomEvent('client-picked', { bubbles: true, detail: { id: id.value, name: words.value } }));
    }

    function show(items) {
      list.replaceChildren.apply(list, items.map(function (client, index) {
        var option = document.createElement('li'), note = document.createElement('span');
        option.id = list.id + '-' + index;
        option.setAttribute('role', 'option');
        option.setAttribute('aria-selected', 'false');
        option.dataset.id = client.id;
        option.dataset.name = client.name;
        option.textContent = client.name;
        note.className = 'note';
        note.textContent = (client.email || '') + (client.status === 'active' ? '' : ' (' + client.status + ')');
        option.append(' ', note);
        option.addEventListener('mousedown', function (event) { event.preventDefault(); pick(option); });
        return option;
      }));
      at = -1;
      list.hidden = !items.length;
      words.setAttribute('aria-expanded', String(Boolean(items.length)));
    }

    function look() {
      var number = ++asked;
      if (!words.value.trim()) return close();
      fetch(box.dataset.find + '?q=' + encodeURIComponent(words.value), {
        headers: { Accept: 'application/json' }, credentials: 'same-origin'
      }).then(function (answer) { return answer.ok ? answer.json() : { items: [] }; })
        .then(function (found) { if (number === asked) show(found.items); })
        .catch(close);
    }

    function move(by) {
      var options = list.children;
      if (list.hidden || !options.length) return look();
      if (at >= 0) options[at].setAttribute('aria-selected', 'false');
      at = (at + by + options.length) % options.length;
      options[at].setAttribute('aria-selected', 'true');
      options[at].scrollIntoView({ block: 'nearest' });
      words.setAttribute('aria-activedescendant', options[at].id);
    }

    words.addEventListener('input', function () {
      id.value = '';
      clearTimeout(timer);
      timer = setTimeout(look, 150);
    });
    words.addEventListener('keydown', function (event) {
      if (event.key === 'ArrowDown') { event.preventDefault(); move(1); }
      else if (event.key === 'ArrowUp') { event.preventDefault(); move(-1); }
      else if (event.key === 'Escape') close();
      else if (event.key === 'Enter' && at >= 0) { event.preventDefault(); pick(list.children[at]); }
    });
    words.addEventListener('blur', close);
  };

  Array.prototype.forEach.call(document.querySelectorAll('[data-client-field]'), window.clientField);
})();
