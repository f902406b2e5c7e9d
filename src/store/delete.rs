//! Deleting: a record first, then the index; bytes are freed later, by compaction.
//!
//! A content lives as long as it has a name. Deleting a content takes all its names away, and deleting its last name
//! comes to the same. The order, which a crash may cut anywhere:
//!
//! 1. the delete's number is drawn, its record is flushed;
//! 2. the index is told not to enter names of lower numbers that are still on their way;
//! 3. the names of lower numbers are taken out of it, and a content without a name left is dying: who sends it again
//!    stores it anew;
//! 4. the delete is answered;
//! 5. once nobody is active who may have seen the content before 3, it is buried, and a blob's file removed.

use super::commit::{NewBody, NewRecord};
use super::error::{CommitError, ReadError};
use super::index::{NAMESPACE, PathKey};
use super::{Lane, Store};
use crate::base::digest::Digest;
use crate::base::ids::Lsn;
use crate::limits::READS_AT_ONCE;
use crate::runtime::buffer::Pool;
use crate::runtime::clock;
use crate::runtime::core::yield_now;

/// Why something was not deleted.
#[derive(Debug)]
pub enum DeleteError {
    /// The record could not be made durable. Nothing was deleted.
    Commit(CommitError),
    /// The disk refused to say what is to be deleted. Nothing was deleted.
    Read(ReadError),
}

impl From<CommitError> for DeleteError {
    fn from(error: CommitError) -> DeleteError {
        DeleteError::Commit(error)
    }
}

/// A content may have very many names, and what is in the page cache is read without waiting.
async fn let_others_go_first(number: usize) {
    if number > 0 && number.is_multiple_of(READS_AT_ONCE) {
        yield_now().await;
    }
}

/// A delete that was begun: says on its way out, whichever that is, that it is over.
struct Begun<F: Fn()>(F);

impl<F: Fn()> Drop for Begun<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Store {
    /// Deletes a content and all its names. False if there is none.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub async fn delete_content(
        &self,
        lane: &Lane,
        pool: &Pool,
        digest: &Digest,
    ) -> Result<bool, DeleteError> {
        let _active = lane.enter();
        // A disk that cannot be read now is no reason to forget which names there are.
        for (number, place) in self.index.names(digest).into_iter().enumerate() {
            let_others_go_first(number).await;
            if let Err(error @ ReadError::Io(_)) = self.read_name(pool, place).await {
                return Err(DeleteError::Read(error));
            }
        }
        let Some(lsn) = self.index.begin_delete_content(digest) else { return Ok(false) };
        let _begun = Begun(|| self.index.end_delete_content(digest));
        let record = NewRecord { lsn, time: clock::wall(), body: NewBody::DeleteContent(*digest) };
        lane.append_freeing(vec![record]).await?;
        self.index.note_content_deleted(digest, lsn);
        self.remove_names_before(pool, digest, lsn).await;
        self.graveyard.deleted_content(&self.index, *digest, lsn);
        Ok(true)
    }

    /// Takes those names of a content away that have lower numbers than its delete.
    async fn remove_names_before(&self, pool: &Pool, digest: &Digest, lsn: Lsn) {
        for (number, place) in self.index.names(digest).into_iter().enumerate() {
            let_others_go_first(number).await;
            let death = match self.read_name(pool, place).await {
                Ok(name) => {
                    let key = PathKey::new(NAMESPACE, name.path.as_bytes());
                    self.index.remove_name_before(key, digest, lsn)
                }
                Err(error) => {
                    tracing::error!(%digest, %error, "a name of a deleted content cannot be read; it is gone too");
                    self.index.remove_name_at(digest, place)
                }
            };
            if let Some(death) = death {
                self.graveyard.dying(*digest, death);
            }
        }
    }

    /// Deletes the name at a path, and the content with its last name. False if the path means nothing.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub async fn delete_name(&self, lane: &Lane, pool: &Pool, path: &str) -> Result<bool, DeleteError> {
        let _active = lane.enter();
        let key = PathKey::new(NAMESPACE, path.as_bytes());
        let Some((lsn, place)) = self.index.begin_delete_name(key) else { return Ok(false) };
        let _begun = Begun(|| self.index.end_delete_path(key));
        let name = self.read_name(pool, place).await.map_err(DeleteError::Read)?;
        let record = NewRecord { lsn, time: clock::wall(), body: NewBody::DeleteName(path.into()) };
        lane.append_freeing(vec![record]).await?;
        self.index.note_path_deleted(key, lsn);
        // A path never changes its bytes while it means something: the name there is still of this content.
        if let Some(death) = self.index.remove_name_before(key, &name.digest, lsn) {
            self.graveyard.dying(name.digest, death);
        }
        self.graveyard.deleted_path(&self.index, key, lsn);
        Ok(true)
    }
}
