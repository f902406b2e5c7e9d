//! `POST /ingest/media`.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::admit::admit;
use super::answer;
use super::body::Body;
use super::conn::{Conn, Trouble, no_memory};
use super::error::{check_room, refusal};
use super::ndjson::Lines;
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::http::multipart::{Boundary, Event, Multipart, PartHead};
use crate::http::response::Persistence;
use crate::http::target::parameter;
use crate::ingest::staging::Declared;
use crate::ingest::upload::{Mode, Terms, TermsBody, Upload};
use crate::ingest::{Ingest, Laps, Stage};
use crate::limits::{
    BLOB_WRITE_BYTES_MIN, CATEGORY_BYTES_MAX, COMMENT_BYTES_MAX, FIELD_BYTES_MAX, FIELDS_MAX, MIME_BYTES_MAX,
    PARTS_MAX,
};
use crate::runtime::clock;

/// Stores the files of a form.
///
/// # Errors
/// What is answered instead.
pub async fn ingest_media(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    persistence: Persistence,
    ingest: &Ingest,
) -> Result<Persistence, Trouble> {
    let boundary = Boundary::from_content_type(head.header("content-type").unwrap_or_default())?;
    answer::refuse_coding(head)?;
    check_room(&ingest.store, body.declared().unwrap_or(0))?;
    let form = Form::from_query(head)?;
    let _place = admit(conn, body, ingest).await?;
    let wants_lines = head.all("accept").any(accepts_lines);
    let lines = wants_lines.then(|| Lines::new(head.version, persistence));
    let mut reading = Reading {
        parts: Multipart::new(&boundary),
        form,
        ingest,
        laps: conn.laps.clone(),
        upload: None,
        part: Part::None,
        names: Vec::new(),
        fields: 0,
        lines,
    };
    if let Err(trouble) = reading.all(conn, body).await {
        return Err(match reading.lines {
            Some(lines) => lines.abort(conn, trouble).await,
            None => trouble,
        });
    }
    conn.laps.lap(Stage::Parse, clock::now_ns());
    let Reading { form, upload, names, lines, .. } = reading;
    let Some(upload) = upload else {
        return Err(HttpError::bad_request("no files provided").into());
    };
    let terms: Terms = Arc::new(form.terms());
    // Every record of the answer repeats the comment.
    if names.len() > 1 && !body.try_reserve_more(conn, terms.comment.len() * names.len()) {
        return Err(no_memory("uploads").into());
    }
    let told = lines.as_ref().map_or(0, Lines::told);
    let outcomes = upload.finish(&terms).await;
    answer::count(conn, &outcomes);
    match lines {
        None => answer::outcomes(conn, head, persistence, outcomes, &names).await,
        Some(lines) => lines.finish(conn, outcomes, told, &names).await,
    }
}

/// Whether the list of an Accept field names lines.
fn accepts_lines(value: &[u8]) -> bool {
    value.split(|&byte| byte == b',').any(|range| {
        let name = range.split(|&byte| byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"application/x-ndjson")
    })
}

/// The fields that apply to all files.
#[derive(Default)]
struct Form {
    category: Option<String>,
    comment: Option<String>,
}

impl Form {
    /// The query wins over the body.
    fn from_query(head: &Head) -> Result<Form, HttpError> {
        let parameter = |name| parameter(head.query(), name).map(std::borrow::Cow::into_owned);
        let form = Form { category: parameter("category"), comment: parameter("comment") };
        form.check()?;
        Ok(form)
    }

    fn check(&self) -> Result<(), HttpError> {
        let fields =
            [("category", &self.category, CATEGORY_BYTES_MAX), ("comment", &self.comment, COMMENT_BYTES_MAX)];
        for (name, value, limit) in fields {
            let bytes = value.as_ref().map_or(0, String::len);
            if bytes > limit {
                let message = format!("the {name} has {bytes} bytes; the limit is {limit}");
                return Err(HttpError::bad_request(message));
            }
        }
        Ok(())
    }

    /// The field of this name, if the form has one; of repeats the first counts.
    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "category" => Some(&mut self.category),
            "comment" => Some(&mut self.comment),
            _ => None,
        }
    }

    fn terms(&self) -> TermsBody {
        TermsBody {
            category: self.category.clone().unwrap_or_default(),
            comment: self.comment.clone().unwrap_or_default(),
        }
    }
}

/// The terms of a single-file upload, from its query.
pub(super) fn terms_from_query(head: &Head) -> Result<Terms, HttpError> {
    Ok(Arc::new(Form::from_query(head)?.terms()))
}

/// A multipart body being read.
struct Reading<'a> {
    parts: Multipart,
    form: Form,
    ingest: &'a Ingest,
    laps: Rc<Laps>,
    /// Begun with the first file.
    upload: Option<Upload>,
    part: Part,
    /// Of every file, as sent.
    names: Vec<Arc<str>>,
    fields: usize,
    lines: Option<Lines>,
}

/// The part that is being read.
enum Part {
    None,
    File,
    Field { name: String, value: Vec<u8> },
}

impl Reading<'_> {
    async fn all(&mut self, conn: &mut Conn, body: &mut Body) -> Result<(), Trouble> {
        loop {
            match self.parts.next()? {
                Event::NeedMore => {
                    if let (Some(lines), Some(upload)) = (&mut self.lines, &mut self.upload) {
                        if conn.pending_bytes() == 0 {
                            // The client pauses: its lines do not wait until it goes on.
                            upload.settle().await;
                        }
                        lines.tell(conn, upload, &self.names)?;
                    }
                    match self.next_piece(conn, body).await? {
                        Some(piece) if piece.is_empty() => {}
                        Some(piece) => self.parts.push(piece),
                        None => return Ok(self.parts.finish()?),
                    }
                }
                Event::PartBegin(head) => self.begin(head).await?,
                Event::Data(piece) => self.data(piece).await?,
                Event::PartEnd => self.end().await?,
                Event::End => {
                    // The epilogue says nothing, and the next request begins behind it.
                    while self.next_piece(conn, body).await?.is_some() {}
                    return Ok(());
                }
            }
        }
    }

    async fn next_piece(&mut self, conn: &mut Conn, body: &mut Body) -> Result<Option<Bytes>, Trouble> {
        let lines = self.lines.as_ref().map_or(0, Lines::held_bytes);
        body.next_for(conn, self.upload.as_mut(), lines).await
    }

    async fn begin(&mut self, head: PartHead) -> Result<(), Trouble> {
        let Some(filename) = head.filename.as_ref().filter(|name| !name.is_empty()) else {
            self.fields += 1;
            if self.fields > FIELDS_MAX {
                return Err(too_many("form fields", FIELDS_MAX));
            }
            self.part = Part::Field { name: head.name().unwrap_or_default().into_owned(), value: Vec::new() };
            return Ok(());
        };
        if self.names.len() == PARTS_MAX {
            return Err(too_many("files", PARTS_MAX));
        }
        let name = filename.text().clone();
        self.names.push(name.clone());
        let mime = head.content_type.as_deref().filter(|mime| mime.len() <= MIME_BYTES_MAX);
        let mime = mime.and_then(|mime| std::str::from_utf8(mime).ok()).map(str::to_owned);
        let declared = Declared { name, mime, digest: head.content_digest.or(head.repr_digest), time: None };
        let upload = self.upload.get_or_insert_with(|| {
            let mode = match &self.lines {
                Some(_) => Mode::AsStored(Arc::new(self.form.terms())),
                None => Mode::AtEnd,
            };
            let mut upload = Upload::timed(self.ingest, mode, self.laps.clone());
            upload.set_write_bytes(BLOB_WRITE_BYTES_MIN);
            upload
        });
        upload.begin(declared, None).await.map_err(|error| refusal(&error))?;
        self.part = Part::File;
        Ok(())
    }

    async fn data(&mut self, piece: Bytes) -> Result<(), Trouble> {
        match (&mut self.part, &mut self.upload) {
            (Part::File, Some(upload)) => {
                upload.data(piece).await.map_err(|error| refusal(&error))?;
            }
            (Part::Field { name, value }, _) => {
                if value.len() + piece.len() > FIELD_BYTES_MAX {
                    let message = format!("the form field {name:?} has more than {FIELD_BYTES_MAX} bytes");
                    return Err(HttpError::new(Status::ContentTooLarge, message).into());
                }
                value.extend_from_slice(&piece);
            }
            _ => {}
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Trouble> {
        match (std::mem::replace(&mut self.part, Part::None), &mut self.upload) {
            (Part::File, Some(upload)) => upload.end(None).await.map_err(|error| refusal(&error))?,
            (Part::Field { name, value }, upload) => {
                let late = self.lines.is_some() && upload.is_some();
                if let Some(slot) = self.form.slot(&name)
                    && slot.is_none()
                {
                    if late {
                        let message = format!("with an answer in lines, {name} stands in front of the files");
                        return Err(HttpError::bad_request(message).into());
                    }
                    *slot = Some(String::from_utf8_lossy(&value).into_owned());
                    self.form.check()?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn too_many(what: &str, limit: usize) -> Trouble {
    let message = format!("the request has more than {limit} {what}, the limit");
    HttpError::new(Status::ContentTooLarge, message).into()
}
