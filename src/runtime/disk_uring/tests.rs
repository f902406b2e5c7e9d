//! The real disk on real cores, in a directory of its own.

use crate::base::units::MIB;
use crate::runtime::buffer::{ALIGN, Buffer, Pool};
use crate::runtime::clock;
use crate::runtime::core::tests::{on_cores, on_one_core};
use crate::runtime::core::{CoreId, spawn};
use crate::runtime::disk::{Disk, File, Open};
use crate::runtime::inbox::Inbox;
use crate::runtime::sync::{Semaphore, oneshot};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A directory of its own, removed with what is in it.
struct Dir(PathBuf);
impl Dir {
    fn new() -> Arc<Dir> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rhinobox-disk-{}-{n}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Arc::new(Dir(path))
    }
}
impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const NEW: Open = Open { write: true, create_new: true, direct: false, dsync: false, random: false };

fn pattern(n: usize) -> u8 {
    u8::try_from(n % 251).unwrap()
}

fn filled(len: usize, seed: usize) -> Buffer {
    let mut buf = Pool::new(0).take(len);
    buf.set_len(len);
    buf.as_mut_slice().iter_mut().enumerate().for_each(|(n, byte)| *byte = pattern(n + seed));
    buf
}

async fn round_trip(file: &File, len: usize, at: u64) {
    let seed = usize::try_from(at).unwrap();
    let (result, buf) = file.write_all_at(filled(len + ALIGN, seed), ALIGN..len + ALIGN, at).await;
    result.unwrap();
    let (result, got) = file.read_exact_at(Pool::new(0).take(len), len, at).await;
    result.unwrap();
    assert!(got.as_slice() == &buf.as_slice()[ALIGN..], "{len} bytes at {at}");
}

#[test]
fn what_is_written_is_read_with_every_way_to_open() {
    on_one_core(|| async {
        let dir = Dir::new();
        let disk = Disk::uring(dir.0.clone());
        let direct = disk.direct_alignment().await.unwrap();
        if let Some((memory, offset)) = direct {
            assert!(memory <= ALIGN && ALIGN.is_multiple_of(offset), "{memory} {offset}");
        }
        assert_eq!(disk.list("").await.unwrap(), [], "the probe left nothing");
        let ways = [(false, false), (false, true), (true, false), (true, true)];
        for (n, (direct_io, dsync)) in ways.into_iter().enumerate() {
            if direct_io && direct.is_none() {
                continue;
            }
            let how = Open { direct: direct_io, dsync, ..NEW };
            let file = disk.open(&format!("f{n}"), how).await.unwrap();
            file.allocate(4 * 1024 * 1024).await.unwrap();
            for (len, at) in [(ALIGN, 0), (MIB, 8192), (3 * MIB, 4096)] {
                round_trip(&file, len, at).await;
            }
            file.sync_data().await.unwrap();
            file.sync_all().await.unwrap();
            file.set_len(10_000).await.unwrap();
            assert_eq!(file.len().await.unwrap(), 10_000);
            // The end of the file lies within the second read.
            let (result, buf) = file.read_exact_at(Pool::new(0).take(MIB), 2 * ALIGN, 0).await;
            result.unwrap();
            let (result, buf) = file.read_exact_at(buf, 3 * ALIGN, 0).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
            assert_eq!(buf.len(), 10_000);
            let (result, buf) = file.read_at(buf, ALIGN, 3 * 4096).await;
            assert_eq!((result.unwrap(), buf.len()), (0, 0));
        }
    });
}

#[test]
fn an_unaligned_direct_write_is_refused_and_gives_its_buffer_back() {
    on_one_core(|| async {
        let dir = Dir::new();
        let disk = Disk::uring(dir.0.clone());
        if disk.direct_alignment().await.unwrap().is_none() {
            return;
        }
        let file = disk.open("f", Open { direct: true, ..NEW }).await.unwrap();
        let (result, buf) = file.write_all_at(filled(ALIGN, 1), 0..100, 0).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(buf.len(), ALIGN);
    });
}

#[test]
fn what_is_written_past_the_page_cache_is_what_a_random_reader_sees() {
    on_one_core(|| async {
        let dir = Dir::new();
        let disk = Disk::uring(dir.0.clone());
        let direct = disk.direct_alignment().await.unwrap().is_some();
        let zeros = disk.open("f", NEW).await.unwrap();
        zeros.write_all_at(filled(64 * ALIGN, 0), 0..64 * ALIGN, 0).await.0.unwrap();
        zeros.sync_data().await.unwrap();
        let writer = disk.open("f", Open { create_new: false, direct, ..NEW }).await.unwrap();
        let reader = disk.open("f", Open { random: true, ..Open::default() }).await.unwrap();
        for block in 0..64 {
            let (value, at) = (u8::try_from(block).unwrap() + 1, block * ALIGN);
            let mut buf = Pool::new(0).take(ALIGN);
            buf.set_len(ALIGN);
            buf.as_mut_slice().fill(value);
            writer.write_all_at(buf, 0..ALIGN, at as u64).await.0.unwrap();
            // Twice: from the disk, and from the page cache.
            for _ in 0..2 {
                let (result, buf) = reader.read_exact_at(Pool::new(0).take(at + ALIGN), at + ALIGN, 0).await;
                result.unwrap();
                let last = buf.as_slice().chunks(ALIGN).map(|block| block[ALIGN - 1]);
                assert!(last.eq(1..=value), "after block {block}");
            }
        }
    });
}

#[test]
fn names_come_and_go() {
    on_one_core(|| async {
        let dir = Dir::new();
        let disk = Disk::uring(dir.0.clone());
        disk.create_dir("d").await.unwrap();
        disk.create_dir("d").await.unwrap();
        let file = disk.open("d/b", NEW).await.unwrap();
        assert_eq!(disk.open("d/b", NEW).await.err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(disk.open("d/x", Open::default()).await.err().unwrap().kind(), ErrorKind::NotFound);
        file.write_all_at(filled(7, 0), 0..7, 0).await.0.unwrap();
        disk.open("d/a", NEW).await.unwrap();
        let list = disk.list("d").await.unwrap();
        let list: Vec<_> = list.iter().map(|e| (e.name.as_str(), e.is_dir, e.len)).collect();
        assert_eq!(list, [("a", false, 0), ("b", false, 7)]);
        disk.rename("d/b", "c").await.unwrap();
        disk.sync_dir("d").await.unwrap();
        disk.sync_dir("").await.unwrap();
        disk.remove("c").await.unwrap();
        assert_eq!(disk.remove("c").await.unwrap_err().kind(), ErrorKind::NotFound);
        let list = disk.list("").await.unwrap();
        assert!(list.len() == 1 && list[0].is_dir && list[0].name == "d");
        for outside in ["/etc/passwd", "../x", "d/../../x"] {
            let refused = disk.open(outside, Open::default()).await.err().unwrap();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{outside}");
        }
        let space = disk.space().await.unwrap();
        assert!(space.free_bytes <= space.total_bytes && space.free_inodes > 0);
    });
}

#[test]
fn two_cores_share_a_file_and_its_number_is_closed_with_the_last_clone() {
    let dir = Dir::new();
    let inbox = Arc::new(Inbox::<(File, oneshot::Sender<()>)>::new(4));
    on_cores(2, move |core| {
        let (dir, inbox) = (Arc::clone(&dir), Arc::clone(&inbox));
        async move {
            const ROUNDS: usize = 50;
            if core == CoreId(1) {
                for n in 0..ROUNDS {
                    let (file, done) = inbox.next().await;
                    let (result, buf) = file.read_exact_at(Pool::new(0).take(1), 100, 0).await;
                    result.unwrap();
                    assert_eq!(buf.as_slice(), filled(100, n).as_slice());
                    file.sync_data().await.unwrap();
                    drop(file);
                    done.send(());
                }
                return;
            }
            let disk = Disk::uring(dir.0.clone());
            for n in 0..ROUNDS {
                // Numbers are used anew every round, and views with them.
                let file = disk.open(&format!("f{n}"), NEW).await.unwrap();
                file.write_all_at(filled(100, n), 0..100, 0).await.0.unwrap();
                disk.remove(&format!("f{n}")).await.unwrap();
                let (done, told) = oneshot::channel();
                inbox.push((file.clone(), done)).ok().unwrap();
                told.await.unwrap();
                assert_eq!(file.len().await.unwrap(), 100);
            }
            // Closing is a helper's work.
            let mut left = 0;
            for _ in 0..200 {
                left = open_in(&dir.0);
                if left == 0 {
                    return;
                }
                clock::sleep(Duration::from_millis(10)).await;
            }
            panic!("{left} removed files are open still");
        }
    });
}

/// This process's descriptors of files in a directory, removed ones too.
fn open_in(dir: &std::path::Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok()).filter(|to| to.starts_with(dir)).count()
}

#[test]
fn a_thousand_writes_under_way_at_once_all_land() {
    on_one_core(|| async {
        let dir = Dir::new();
        let disk = Disk::uring(dir.0.clone());
        let file = disk.open("f", NEW).await.unwrap();
        let all = Semaphore::new(2_000);
        for n in 0..2_000_usize {
            let (file, permit) = (file.clone(), all.try_acquire(1).unwrap());
            spawn(async move {
                let at = u64::try_from(n * 512).unwrap();
                file.write_all_at(filled(512, n), 0..512, at).await.0.unwrap();
                drop(permit);
            });
        }
        drop(all.acquire(2_000).await);
        let (result, buf) = file.read_exact_at(Pool::new(0).take(2_000 * 512), 2_000 * 512, 0).await;
        result.unwrap();
        for n in 0..2_000 {
            assert!(&buf.as_slice()[n * 512..][..512] == filled(512, n).as_slice(), "write {n}");
        }
    });
}
