"""`entendre markets`: the countries that this program knows, and what each of their languages lacks."""
