//! Lists: what may be asked, and what a page holds.

use super::cursor::Cursor;
use super::words::Expression;
use crate::base::digest::Digest;
use crate::base::time::Wall;
use crate::media::table::MediaType;
use crate::store::format::Attributes;

/// In which order files are listed. What is equal comes in the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// The one that arrived last first.
    #[default]
    Newest,
    /// The one that arrived first first.
    Oldest,
    /// By size, downwards.
    Largest,
    /// By size, upwards.
    Smallest,
    /// By original name, capital or not.
    Name,
    /// The same downwards.
    NameDescending,
}

impl Order {
    pub(super) fn is_by_arrival(self) -> bool {
        matches!(self, Order::Newest | Order::Oldest)
    }

    pub(super) fn is_by_size(self) -> bool {
        matches!(self, Order::Largest | Order::Smallest)
    }
}

/// Which category.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Category {
    /// A folder and what is below it: `images/jpg`.
    Folder(String),
    /// The category that uploads gave, whatever the type.
    Label(String),
}

/// What is asked for. All conditions must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Of this type.
    pub media: Option<MediaType>,
    /// Of this category.
    pub category: Option<Category>,
    /// With all these words, as they were typed; the last may go on.
    pub search: String,
    /// Uploaded then or later.
    pub since: Option<Wall>,
    /// Uploaded before that.
    pub until: Option<Wall>,
    /// At least so many bytes.
    pub size_min: Option<u64>,
    /// At most so many bytes.
    pub size_max: Option<u64>,
    /// In this order.
    pub order: Order,
    /// At most so many files; at least 1.
    pub limit: usize,
    /// Only what comes behind this place.
    pub behind: Option<Cursor>,
}

/// A file of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// `storage/...`
    pub path: String,
    /// Its SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// When it was uploaded.
    pub time: Wall,
    /// What else is known of it.
    pub attributes: Attributes,
}

/// Some files of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// In the order asked for.
    pub files: Vec<File>,
    /// Where the next page begins; `None` if this is the last.
    pub next: Option<Cursor>,
}

/// Sums over all names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Names and their bytes for each media type.
    pub media: Vec<(MediaType, u64, u64)>,
    /// Bytes of distinct contents with a file of their own.
    pub large_bytes: u64,
}

impl Query {
    /// What makes two pages parts of one list: all but how many files and from where.
    pub(super) fn identity(&self) -> String {
        let list = Query { limit: 0, behind: None, ..self.clone() };
        format!("{list:?}")
    }

    /// The words and folders it asks for.
    pub(super) fn expression(&self) -> Expression {
        let mut expression = Expression::of_typed(&self.search);
        if let Some(media) = self.media {
            expression.media(media);
        }
        match &self.category {
            Some(Category::Folder(folder)) => expression.folder(folder),
            Some(Category::Label(label)) => expression.label(label),
            None => {}
        }
        expression
    }

    pub(super) fn has_sizes(&self) -> bool {
        self.size_min.is_some() || self.size_max.is_some()
    }

    pub(super) fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }
}
