//! Lists of what is stored: `GET /files`, what changes it, and what it survives. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod a_catalogue_made_anew_equals_the_old_one;
mod a_kill_under_load_leaves_lists_that_agree_with_the_store;
mod a_name_is_changed_by_patch;
mod changes_at_once_lose_nothing_to_each_other_or_to_a_kill;
mod cursors_hold_still_while_files_come_and_go;
mod deleted_files_leave_lists_and_sums;
mod every_filter_and_order_agrees_with_a_plain_one;
mod foreign_cursors_and_values_that_do_not_parse_are_400;
mod list;
mod the_last_word_is_found_as_it_is_typed;
mod whatever_is_searched_for_is_only_words;
