//! Uploads of one file through the daemon's own code in this process, on one core: answered when they are flushed, or when
//! the kernel has them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rhinobox::ingest::Ingest;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::core::spawn;
use rhinobox::runtime::sync::Notify;
use rhinobox::store::Durability;
use serde::Serialize;

use crate::support::form::Form;
use crate::support::output::DataDir;
use crate::support::store::{POOL_BYTES, upload, with_store};
use crate::support::table::Table;
use crate::support::text::{grouped, size, three_digits};
use crate::support::timing::Effort;
use crate::{Figures, Result, SIZES};

const IN_FLIGHT: [usize; 2] = [1, 16];
const KINDS: [Durability; 2] = [Durability::Commit, Durability::Os];

/// Uploads of files of a size, so many at once.
#[derive(Serialize, Debug)]
pub(crate) struct Row {
    bytes: usize,
    in_flight: usize,
    durability: &'static str,
    #[serde(flatten)]
    figures: Figures,
}

/// Measures all, each time on a new store.
///
/// # Errors
/// If a file is not stored as it should be.
pub(crate) fn measure(effort: Effort, dir: &DataDir) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for bytes in SIZES {
        for in_flight in IN_FLIGHT {
            let mut kinds = KINDS.map(|_| Vec::new());
            for _ in 0..effort.repetitions {
                for (durability, repetitions) in KINDS.into_iter().zip(&mut kinds) {
                    repetitions.push(once(effort.time, dir, durability, bytes, in_flight)?);
                }
            }
            rows.extend(KINDS.iter().zip(&kinds).map(|(durability, repetitions)| Row {
                bytes,
                in_flight,
                durability: durability.as_str(),
                figures: Figures::of(repetitions, bytes, in_flight),
            }));
        }
    }
    Ok(rows)
}

fn once(
    time: Duration,
    dir: &DataDir,
    durability: Durability,
    bytes: usize,
    in_flight: usize,
) -> Result<Histogram<u64>> {
    let pool = Pool::new(POOL_BYTES);
    with_store(&dir.fresh("store")?, durability, &pool, move |ingest| async move {
        let until = Instant::now() + time;
        let (ended, wake) = (Rc::new(RefCell::new(Vec::new())), Notify::new());
        for client in 0..in_flight {
            let (ingest, ended, wake) = (ingest.clone(), ended.clone(), wake.clone());
            let form = Form::new(1, bytes, (client as u64) << 40)?;
            spawn(async move {
                let times = uploads(&ingest, form, until).await;
                ended.borrow_mut().push(times);
                wake.notify();
            });
        }
        while ended.borrow().len() < in_flight {
            wake.wait().await;
        }
        let mut all = Histogram::new(3)?;
        for times in ended.take() {
            all.add(times?)?;
        }
        Ok(all)
    })
}

async fn uploads(ingest: &Ingest, mut form: Form, until: Instant) -> Result<Histogram<u64>> {
    let mut times = Histogram::new(3)?;
    while Instant::now() < until {
        form.renew();
        let begun = Instant::now();
        upload(ingest, &form).await?;
        times.record(u64::try_from(begun.elapsed().as_nanos())?)?;
    }
    Ok(times)
}

/// Prints them.
pub(crate) fn print(rows: &[Row]) {
    println!("Uploads of one file each, in this process on one core");
    let columns = ["file", "at once", "answered", "p50 us", "spread", "p99 us", "files/s", "MB/s"];
    let mut table = Table::new(3, columns);
    for row in rows {
        let mb_per_second = row.figures.mb_per_second.median;
        table.row([
            size(row.bytes),
            row.in_flight.to_string(),
            row.durability.to_owned(),
            grouped(row.figures.p50_us.median),
            row.figures.p50_us.plus_minus(),
            grouped(row.figures.p99_us.median),
            grouped(mb_per_second * 1e6 / row.bytes as f64),
            three_digits(mb_per_second),
        ]);
    }
    table.print();
}
