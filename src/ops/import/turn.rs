//! Many files are read at once, and named in the order of the index: a list of what is stored is in the order of arrival.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use crate::runtime::sync::oneshot;

/// Whose turn it is to be named.
#[derive(Default)]
pub(super) struct Turns {
    next: Cell<usize>,
    waiting: RefCell<HashMap<usize, oneshot::Sender<()>>>,
}

impl Turns {
    /// Waits until all before this one have begun to be named, or have failed.
    pub(super) async fn come(&self, number: usize) {
        if self.next.get() >= number {
            return;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(number, sender);
        receiver.await;
    }

    /// It is the next one's turn, if it was this one's.
    pub(super) fn pass(&self, number: usize) {
        if self.next.get() != number {
            return;
        }
        self.next.set(number + 1);
        let next = self.waiting.borrow_mut().remove(&(number + 1));
        if let Some(next) = next {
            next.send(());
        }
    }

    /// Names something in its turn. A name's number is drawn as soon as it is begun: its flush is shared with the next.
    pub(super) async fn name<T>(&self, number: usize, naming: impl Future<Output = T>) -> T {
        self.come(number).await;
        let mut naming = pin!(naming);
        let begun = poll_fn(|context| Poll::Ready(naming.as_mut().poll(context))).await;
        self.pass(number);
        match begun {
            Poll::Ready(named) => named,
            Poll::Pending => naming.await,
        }
    }
}
