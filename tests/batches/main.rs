//! Batches: sizes, order, mixtures, many at once; big files streamed both ways. One behaviour a file.

#[path = "../support/mod.rs"]
mod support;

mod a_broken_batch_names_nothing;
mod a_file_of_600_mb_streams_both_ways;
mod batches_of_every_size_come_back_in_order;
mod many_batches_at_once_share_the_daemon;
mod one_file_and_many_take_the_same_way_back;
mod real_files_come_back_as_they_are;
