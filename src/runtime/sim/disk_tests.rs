//! The model held to its promises. Each test that draws cuts also shows that the loss it speaks of does happen.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::*;
use crate::runtime::buffer::{Buffer, Pool};
use crate::runtime::core::CoreId;
use crate::runtime::disk::Open;

const NEW: Open = Open { write: true, create_new: true, direct: false, dsync: false, random: false };
const DIRECT: Open = Open { write: true, create_new: false, direct: true, dsync: false, random: false };
const DSYNC: Open = Open { write: true, create_new: false, direct: true, dsync: true, random: false };
const CUTS: u64 = 300;

fn buffer(bytes: &[u8]) -> Buffer {
    let mut buffer = Pool::new(0).take(bytes.len());
    buffer.extend_from_slice(bytes);
    buffer
}

async fn write(file: &SimFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(buffer(bytes), 0..bytes.len(), offset).await.0
}

/// Contents of `path` that are found after many power cuts.
fn after_cuts(disk: &SimDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..CUTS).map(|seed| disk.power_cut(seed).contents(path).ok()).collect()
}

/// A disk with a durable file "f" of `len` bytes of 1.
fn with_file(len: usize) -> SimDisk {
    let disk = SimDisk::new();
    disk.put("f", &vec![1; len]).unwrap();
    disk
}

/// Runs one future on one core.
fn on(seed: u64, future: impl Future<Output = ()>) {
    Sim::new(seed, 1).run(|| future).done();
}

#[test]
fn an_unflushed_write_may_be_lost_kept_or_torn_at_sectors() {
    let disk = with_file(1536);
    on(1, async { write(&disk.open("f", DIRECT).await.unwrap(), 0, &[2; 1536]).await.unwrap() });
    assert_eq!(disk.contents("f").unwrap(), [2; 1536]);
    let found: BTreeSet<Vec<u8>> = after_cuts(&disk, "f").into_iter().flatten().collect();
    for torn in &found {
        assert!(torn.chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]));
    }
    assert_eq!(found.len(), 8, "every subset of three sectors is found");
}

#[test]
fn a_dsync_write_survives_and_flushes_nothing_else() {
    let disk = with_file(8192);
    on(2, async {
        write(&disk.open("f", DIRECT).await.unwrap(), 4096, &[2; 512]).await.unwrap();
        write(&disk.open("f", DSYNC).await.unwrap(), 0, &[3; 512]).await.unwrap();
    });
    let found = after_cuts(&disk, "f");
    assert!(found.iter().flatten().all(|bytes| bytes[..512] == [3; 512]));
    assert!(found.iter().flatten().any(|bytes| bytes[4096..4608] == [1; 512]));
    assert!(found.iter().flatten().any(|bytes| bytes[4096..4608] == [2; 512]));
}

#[test]
fn nothing_pending_undoes_a_later_durable_write() {
    let disk = with_file(4096);
    on(3, async {
        let file = disk.open("f", DIRECT).await.unwrap();
        write(&file, 0, &[0; 4096]).await.unwrap();
        file.set_len(0).await.unwrap();
        write(&file, 0, &[2; 4096]).await.unwrap();
        write(&disk.open("f", DSYNC).await.unwrap(), 512, &[3; 1024]).await.unwrap();
    });
    for bytes in after_cuts(&disk, "f").into_iter().flatten() {
        assert_eq!(bytes[512..1536], [3; 1024]);
    }
}

#[test]
fn a_dsync_write_that_extends_the_file_can_be_read_back() {
    let disk = with_file(0);
    on(4, async {
        disk.open("f", DIRECT).await.unwrap().allocate(1 << 16).await.unwrap();
        write(&disk.open("f", DSYNC).await.unwrap(), 4096, &[3; 512]).await.unwrap();
    });
    for bytes in after_cuts(&disk, "f").into_iter().flatten() {
        assert_eq!(bytes[4096..4608], [3; 512]);
    }
}

#[test]
fn a_sync_covers_what_was_complete_when_it_began() {
    let mut unsure = 0;
    for seed in seeds(200) {
        let disk = with_file(1024);
        let late_was_done = Rc::new(Cell::new(false));
        on(seed, async {
            let file = disk.open("f", DIRECT).await.unwrap();
            write(&file, 0, &[2; 512]).await.unwrap();
            let (late, flag) = (file.clone(), Rc::clone(&late_was_done));
            spawn(async move {
                write(&late, 512, &[3; 512]).await.unwrap();
                flag.set(true);
            });
            file.sync_data().await.unwrap();
        });
        let found = after_cuts(&disk, "f");
        assert!(found.iter().flatten().all(|bytes| bytes[..512] == [2; 512]), "seed {seed}");
        unsure += u32::from(late_was_done.get() && found.len() == 2);
    }
    assert!(unsure > 0, "a write that overtook a running sync is not covered");
}

#[test]
fn sizes_need_a_sync() {
    let disk = with_file(512);
    on(5, async { write(&disk.open("f", DIRECT).await.unwrap(), 512, &[2; 512]).await.unwrap() });
    let lengths: BTreeSet<usize> = after_cuts(&disk, "f").into_iter().flatten().map(|b| b.len()).collect();
    assert_eq!(lengths, BTreeSet::from([512, 1024]));
    on(6, async { disk.open("f", DIRECT).await.unwrap().sync_data().await.unwrap() });
    assert_eq!(after_cuts(&disk, "f").len(), 1);
}

#[test]
fn a_name_may_vanish_until_its_directory_is_flushed() {
    let disk = SimDisk::new();
    on(7, async {
        let file = disk.open("f", NEW).await.unwrap();
        write(&file, 0, b"all").await.unwrap();
        file.sync_all().await.unwrap();
    });
    assert_eq!(after_cuts(&disk, "f"), BTreeSet::from([None, Some(b"all".to_vec())]));
    on(8, async { disk.sync_dir("").await.unwrap() });
    assert_eq!(after_cuts(&disk, "f"), BTreeSet::from([Some(b"all".to_vec())]));
    on(9, async { disk.remove("f").await.unwrap() });
    assert_eq!(after_cuts(&disk, "f"), BTreeSet::from([None, Some(b"all".to_vec())]));
}

#[test]
fn a_name_is_lost_with_an_unflushed_directory_above_it() {
    let disk = SimDisk::new();
    on(10, async {
        disk.create_dir("a").await.unwrap();
        disk.open("a/f", NEW).await.unwrap();
        disk.sync_dir("a").await.unwrap();
    });
    assert_eq!(after_cuts(&disk, "a/f").len(), 2);
    on(11, async { disk.sync_dir("").await.unwrap() });
    assert_eq!(after_cuts(&disk, "a/f").len(), 1);
}

#[test]
fn a_rename_is_atomic_across_directories() {
    let disk = SimDisk::new();
    disk.put("a/old", b"x").unwrap();
    disk.put("b/new", b"y").unwrap();
    on(12, async {
        disk.rename("a/old", "b/mid").await.unwrap();
        disk.rename("b/mid", "b/new").await.unwrap();
    });
    let states: BTreeSet<Vec<String>> = (0..CUTS)
        .map(|seed| {
            let cut = disk.power_cut(seed);
            let x = cut.files().into_iter().map(|(path, _)| path);
            x.filter(|path| cut.contents(path).unwrap() == b"x").collect()
        })
        .collect();
    let one = |path: &str| vec![path.to_owned()];
    assert_eq!(states, BTreeSet::from([one("a/old"), one("b/mid"), one("b/new")]));
    on(13, async { disk.sync_dir("b").await.unwrap() });
    assert_eq!(disk.power_cut(0).files(), [("b/new".to_owned(), 1)]);
}

#[test]
fn a_durable_removal_is_not_undone_by_an_earlier_rename() {
    let disk = SimDisk::new();
    for path in ["a/x", "b/other", "c/other"] {
        disk.put(path, b"x").unwrap();
    }
    on(26, async {
        disk.rename("a/x", "b/y").await.unwrap();
        disk.rename("b/y", "c/z").await.unwrap();
        disk.remove("c/z").await.unwrap();
        disk.sync_dir("c").await.unwrap();
    });
    for seed in 0..CUTS {
        assert_eq!(disk.power_cut(seed).files().len(), 2, "cut {seed}");
    }
}

#[test]
fn a_kill_keeps_what_was_written_but_not_for_good() {
    let disk = with_file(512);
    on(14, async { write(&disk.open("f", DIRECT).await.unwrap(), 0, &[2; 512]).await.unwrap() });
    let killed = disk.kill(1);
    assert_eq!(killed.contents("f").unwrap(), [2; 512]);
    assert_eq!(after_cuts(&killed, "f").len(), 2, "a power cut after the kill may still lose it");
    on(15, async { killed.open("f", DIRECT).await.unwrap().sync_data().await.unwrap() });
    assert_eq!(after_cuts(&killed, "f").len(), 1, "the next process can flush it");
}

#[test]
fn a_write_in_flight_may_be_found_in_part() {
    let disk = with_file(1024);
    // Events: three of the open, then the start of the write; the cut comes before it takes effect.
    let end = Sim::new(16, 1).stop_at_event(5).run(|| async {
        let file = disk.open("f", DIRECT).await.unwrap();
        write(&file, 0, &[2; 1024]).await.unwrap();
    });
    assert_eq!(end, Outcome::Cut);
    assert_eq!(disk.contents("f").unwrap(), [1; 1024]);
    let killed: BTreeSet<Vec<u8>> = (0..CUTS).map(|seed| disk.kill(seed).contents("f").unwrap()).collect();
    assert_eq!(killed.len(), 4);
    assert_eq!(after_cuts(&disk, "f").len(), 4);
}

#[test]
fn the_kth_operation_fails_and_the_rest_go_on() {
    let run = |disk: &SimDisk| {
        let disk = disk.clone();
        Sim::new(17, 1)
            .run(|| async move {
                let file = disk.open("f", DIRECT).await?;
                write(&file, 0, &[2; 1024]).await?;
                file.sync_data().await?;
                let (result, buf) = file.read_exact_at(Pool::new(0).take(1024), 1024, 0).await;
                result.map(|()| assert_eq!(buf.as_slice(), [2; 1024]))
            })
            .done()
    };
    let mut failed = 0;
    for k in 1.. {
        let disk = with_file(1024);
        disk.set_faults(Fault::nth(k, Failure::Eio));
        let result = run(&disk);
        assert_eq!(result.is_err(), disk.counters().failed == 1, "k = {k}");
        if disk.counters().failed == 0 {
            break;
        }
        failed += 1;
    }
    assert_eq!(failed, 4);
    for survived in [Failure::Eintr, Failure::Short(1)] {
        for kind in [Op::Read, Op::Write] {
            let disk = with_file(1024);
            disk.set_faults(Fault::nth(1, survived).on(kind));
            run(&disk).unwrap();
            assert_eq!((disk.counters().failed, disk.counters().of(kind)), (1, 2), "{survived:?} {kind:?}");
        }
    }
    let disk = with_file(1024);
    disk.set_faults(Fault::nth(1, Failure::Short(0)).on(Op::Write));
    assert_eq!(run(&disk).unwrap_err().kind(), io::ErrorKind::WriteZero);
}

#[test]
fn a_failed_sync_cannot_be_retried_into_durability() {
    let disk = with_file(512);
    disk.set_faults(Fault::nth(1, Failure::Eio).on(Op::Sync));
    on(18, async {
        let file = disk.open("f", DIRECT).await.unwrap();
        write(&file, 0, &[2; 512]).await.unwrap();
        assert!(file.sync_data().await.is_err());
        file.sync_data().await.unwrap();
    });
    assert_eq!(after_cuts(&disk, "f").len(), 2);
}

#[test]
fn a_full_disk_says_so_and_room_returns() {
    let disk = SimDisk::new();
    disk.set_capacity(8192, 3);
    on(19, async {
        let file = disk.open("f", NEW).await.unwrap();
        file.allocate(8192).await.unwrap();
        assert_eq!(disk.space().await.unwrap().free_bytes, 0);
        write(&file, 0, &[1; 8192]).await.unwrap();
        let full = write(&file, 8192, &[1; 512]).await.unwrap_err();
        assert_eq!(full.raw_os_error(), Some(libc::ENOSPC));
        disk.open("g", NEW).await.unwrap();
        assert_eq!(disk.open("h", NEW).await.err().and_then(|e| e.raw_os_error()), Some(libc::ENOSPC));
        disk.remove("f").await.unwrap();
        assert_eq!(disk.space().await.unwrap().free_bytes, 0, "a handle is still open");
        drop(file);
        let space = disk.space().await.unwrap();
        assert_eq!((space.free_bytes, space.free_inodes), (8192, 1));
    });
}

#[test]
fn new_room_reads_as_zeros_or_junk() {
    let disk = SimDisk::new();
    on(20, async { disk.open("zeros", NEW).await.unwrap().allocate(8192).await.unwrap() });
    assert_eq!(disk.contents("zeros").unwrap(), [0; 8192]);
    disk.fill_new_room_with_junk(1);
    on(21, async { disk.open("junk", NEW).await.unwrap().allocate(8192).await.unwrap() });
    assert!(disk.contents("junk").unwrap().iter().filter(|byte| **byte == 0).count() < 100);
}

#[test]
fn tools_change_what_is_on_the_medium() {
    let disk = with_file(1024);
    disk.flip_bit("f", 5, 3).unwrap();
    disk.zero("f", 512..2000).unwrap();
    disk.overwrite("f", 510, &[7, 7]).unwrap();
    let mut expected = vec![1; 512];
    (expected[5], expected[510], expected[511]) = (9, 7, 7);
    expected.extend([0; 512]);
    assert_eq!(disk.power_cut(0).contents("f").unwrap(), expected);
}

#[test]
#[should_panic(expected = "unaligned direct I/O")]
fn an_unaligned_direct_write_is_a_bug() {
    let disk = with_file(512);
    on(22, async { _ = write(&disk.open("f", DIRECT).await.unwrap(), 1, &[0; 512]).await });
}

#[test]
#[should_panic(expected = "dropped before it was done")]
fn a_dropped_write_is_a_bug() {
    let disk = with_file(512);
    on(23, async {
        let file = disk.open("f", DIRECT).await.unwrap();
        let mut pending = Box::pin(write(&file, 0, &[2; 512]));
        std::future::poll_fn(|cx| {
            assert!(pending.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(pending);
        yield_now().await;
    });
}

#[test]
fn names_and_errors_are_those_of_a_file_system() {
    let disk = SimDisk::new();
    disk.put("a/f", b"1").unwrap();
    on(24, async {
        let kind = |result: io::Result<SimFile>| result.err().map(|error| error.kind());
        assert_eq!(kind(disk.open("g", Open::default()).await), Some(io::ErrorKind::NotFound));
        assert_eq!(kind(disk.open("a/f", NEW).await), Some(io::ErrorKind::AlreadyExists));
        assert_eq!(kind(disk.open("../f", NEW).await), Some(io::ErrorKind::InvalidInput));
        assert_eq!(kind(disk.open("a", Open::default()).await), Some(io::ErrorKind::IsADirectory));
        disk.create_dir("a").await.unwrap();
        let names: Vec<_> = disk.list("").await.unwrap().into_iter().map(|e| (e.name, e.is_dir)).collect();
        assert_eq!(names, [("a".to_owned(), true)]);
        let file = disk.open("a/f", Open::default()).await.unwrap();
        assert!(write(&file, 0, b"x").await.is_err(), "the handle is for reading");
        let (result, buf) = file.read_exact_at(Pool::new(0).take(2), 2, 0).await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let (result, buf) = file.read_at(buf, 2, 0).await;
        assert_eq!((result.unwrap(), buf.as_slice()), (1, b"1".as_slice()));
        assert_eq!(file.read_at(buf, 2, 1).await.0.unwrap(), 0);
    });
}

/// A few writers and flushers on three cores, for the tests of replay.
fn busy(disk: &SimDisk) {
    for core in 0..3 {
        let disk = disk.clone();
        spawn_on(CoreId(core), async move {
            let file = disk.open("f", DIRECT).await.unwrap();
            for n in 0..10 {
                write(&file, 512 * (random_u64() % 64), &[n; 512]).await.unwrap();
                file.sync_data().await.unwrap();
            }
        });
    }
}

#[test]
fn a_seed_replays_exactly_and_another_does_not() {
    let run = |seed, stop: Option<u64>| {
        let disk = with_file(32_768);
        let mut sim = Sim::new(seed, 3).stalls(20, 1_000_000);
        if let Some(event) = stop {
            sim = sim.stop_at_event(event);
        }
        _ = sim.run(|| async {
            busy(&disk);
            sleep(Duration::from_secs(1)).await;
        });
        (sim.report().trace_hash, disk.power_cut(seed).contents("f").unwrap())
    };
    assert!(run(1, None) == run(1, None) && run(1, Some(100)) == run(1, Some(100)));
    assert!(run(1, None) != run(2, None) && run(1, Some(100)) != run(1, Some(99)));
}

#[test]
fn disks_and_files_may_be_used_from_any_thread() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<SimDisk>();
    shared::<SimFile>();
}

#[test]
fn a_cut_of_a_megabyte_is_cheap() {
    let disk = with_file(1 << 20);
    on(25, async {
        let file = disk.open("f", DIRECT).await.unwrap();
        for n in 0..16 {
            write(&file, n * 65_536, &vec![2; 65_536]).await.unwrap();
        }
    });
    let began = Instant::now();
    for seed in 0..200 {
        assert_eq!(disk.power_cut(seed).files()[0].1, 1 << 20);
    }
    // Some 20 us each; the bound leaves room for a busy machine.
    let each = began.elapsed() / 200;
    assert!(each < Duration::from_millis(5), "{each:?}");
}

#[test]
fn what_is_watched_at_an_event_is_what_a_cut_there_leaves_and_images_differ_as_contents_do() {
    let work = async |disk: SimDisk| {
        let file = disk.open("f", NEW).await.unwrap();
        write(&file, 0, &[1; 5_000]).await.unwrap();
        file.sync_data().await.unwrap();
        write(&file, 700, &[2; 2_000]).await.unwrap();
        disk.sync_dir("").await.unwrap();
        file.set_len(3_000).await.unwrap();
        write(&file, 2_500, &[3; 1_000]).await.unwrap();
    };
    let disk = SimDisk::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let watch = {
        let (disk, seen) = (disk.clone(), Rc::clone(&seen));
        move |_| seen.borrow_mut().push(disk.snapshot())
    };
    Sim::new(3, 1).watch_events(watch).run(|| work(disk.clone())).done();
    let seen = seen.take();
    let (mut images, mut contents) = (BTreeSet::new(), BTreeSet::new());
    for (event, moment) in (1..).zip(&seen) {
        let cut = SimDisk::new();
        let end = Sim::new(3, 1).stop_at_event(event).run(|| work(cut.clone()));
        assert_eq!(end, Outcome::Cut);
        for draw in 0..20 {
            let (watched, stopped) = (moment.power_cut(draw), cut.power_cut(draw));
            let found = stopped.contents("f").ok();
            assert_eq!(watched.contents("f").ok(), found, "event {event}, draw {draw}");
            assert_eq!(watched.image(), stopped.image(), "event {event}, draw {draw}");
            images.insert(watched.image());
            contents.insert(found);
        }
    }
    assert_eq!(seen.len(), 21, "seven operations of three phases");
    assert!(images.len() == contents.len() && images.len() > 10, "{} of {}", images.len(), contents.len());
}
