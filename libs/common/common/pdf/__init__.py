"""PDF files in any script a name may be written in; each file here builds on the ones before it.

`scripts` (what script a character has), `fonts` (what draws it), `bidi` (which way it reads), `text` (a line
as glyphs), `wrap` (a paragraph as lines), `cff` and `embed` (fonts inside the file), `page` (what stands on
one page), `document` (the file); `words` (days and codes in words), `layout` (what documents share in looks)
and `flow` (what may run over several pages).

Lengths are PDF points (1/72 inch) unless said otherwise; "em" means a multiple of the font size.
"""
