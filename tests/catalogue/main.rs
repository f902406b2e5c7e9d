//! Lists of what is stored: `GET /files`, what changes it, and what it survives. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod cursors_hold_still_while_files_come_and_go;
mod every_filter_and_order_agrees_with_a_plain_one;
mod foreign_cursors_and_values_that_do_not_parse_are_400;
mod list;
mod whatever_is_searched_for_is_only_words;
