//! A core's inbox: a bounded lock-free queue and a wake-up that is sent only when it goes from empty to non-empty.
/// `Send + Sync`; one consumer.
pub struct Inbox<M> { marker: std::marker::PhantomData<M> }
impl<M: Send> Inbox<M> {
    pub fn new(capacity: usize) -> Inbox<M> { todo!() }
    /// Hands the message back when full.
    pub fn push(&self, message: M) -> Result<(), M> { todo!() }
    /// The next message, waiting for one.
    pub async fn next(&self) -> M { todo!() }
    pub fn len(&self) -> usize { todo!() }
    pub fn is_empty(&self) -> bool { todo!() }
    pub fn capacity(&self) -> usize { todo!() }
}
