//! What is measured, in this order. Each part has a module of its own, prints its table as it goes and puts its figures
//! into the report.

mod connections;
mod cores;
mod memory;
mod open_loop;
mod rows;
mod sizes;
mod stores;

pub(crate) use self::cores::OnCores;
pub(crate) use self::memory::Peak;
pub(crate) use self::open_loop::Case;
pub(crate) use self::stores::OnStore;

use crate::Result;
use crate::measure::{Measured, Plan, measure};
use crate::report::Report;
use crate::rows::Row;

/// A part of a run.
pub(crate) struct Part {
    /// What `--parts` selects by.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) measure: fn(&Plan, &mut Report) -> Result<()>,
}

/// All of them.
pub(crate) const PARTS: [Part; 7] = [
    Part { id: "rows", title: "what clients send, in a closed loop", measure: rows::measure },
    Part {
        id: "open-loop",
        title: "requests that are due at a constant rate; a time counts from then",
        measure: open_loop::measure,
    },
    Part {
        id: "sizes",
        title: "larger and larger files, one a request, in a closed loop",
        measure: sizes::measure,
    },
    Part {
        id: "connections",
        title: "10 KB over more and more connections, in a closed loop",
        measure: connections::measure,
    },
    Part {
        id: "cores",
        title: "a batch in one request on more and more of the daemon's cores",
        measure: cores::measure,
    },
    Part { id: "stores", title: "onto stores that hold more and more", measure: stores::measure },
    Part { id: "memory", title: "the most that is ever resident", measure: memory::measure },
];

/// Measures short rows, each on a daemon of its own, and prints them.
fn sweep(plan: &Plan, rows: impl IntoIterator<Item = Row>) -> Result<Vec<Measured>> {
    let plan = plan.brief();
    println!("{} s each", plan.time.as_secs_f64());
    Report::print_table_head();
    let mut all = Vec::new();
    for row in rows {
        let (measured, _) = measure(&row, &plan)?;
        Report::print_row(&measured);
        all.push(measured);
    }
    Ok(all)
}
