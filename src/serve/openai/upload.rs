//! Uploads: `POST /v1/files`. A file goes to `uploads/ID/NAME` of a workspace, as it comes.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::error::{BodyErrors, Errors, Refused};
use super::file_id::FileId;
use super::files::{FileObject, FileStatus, Purpose};
use super::multipart::{Multipart, PartHeader, Piece};
use crate::engine::{Action, Engine, EngineError, Precondition, Upload};
use crate::serve::app::{App, Shared};
use crate::serve::door::{By, Place};
use crate::serve::error::ApiError;
use crate::serve::signature::Signature;
use crate::serve::writing::{ProvenanceHeaders, provenance};
use crate::workspace::{Provenance, RelPath, WorkspaceId, is_device_name};

/// The folder that uploads are below.
pub(super) const FOLDER: &str = "uploads";
/// The header in which `OpenAI`'s clients name a project.
const PROJECT: &str = "openai-project";
/// Longer names of files are cut, in bytes.
const MAX_NAME_BYTES: usize = 200;
/// Longer values of fields are refused, in bytes.
const MAX_FIELD_BYTES: usize = 256;
/// What the folder of an upload is made of.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The workspace of uploads.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(in crate::serve) struct ProjectHeader {
    /// The workspace that files are uploaded to and listed of; without it, the one that `/mcp` is about. Clients send it as their `project`.
    #[param(rename = "OpenAI-Project", required = false, example = "default")]
    project: String,
}

/// The workspace that uploads of a request go to.
pub(super) fn project_of(app: &App, headers: &HeaderMap) -> Result<WorkspaceId, Refused> {
    let Some(name) = headers.get(PROJECT) else { return Ok(app.default_workspace()) };
    let named = name.to_str().unwrap_or_default().parse();
    Ok(named.map_err(|error| ApiError::of_name(&EngineError::Name(error)))?)
}

/// A file to upload, as a form.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct UploadForm {
    /// The file, with its name.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// What it is for.
    purpose: Purpose,
}

/// Uploads a file. It is searchable in the vector store of its workspace as soon as it is indexed; `status` says when it is.
#[utoipa::path(
    post, path = "/v1/files", tag = "openai", operation_id = "upload_file",
    params(ProjectHeader, ProvenanceHeaders),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = FileObject, description = "The file is written, and its change is in the log."), BodyErrors, Errors),
)]
pub(in crate::serve) async fn create(
    State(app): Shared,
    By(by): By,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Body,
) -> Result<Json<FileObject>, Refused> {
    let place = Place { id: project_of(&app, &headers)?, by };
    let at = place.clone();
    let admit = move |engine: &Engine| engine.admit(at.open(engine)?.caller(), Action::Write).map(drop);
    app.call_at_once(admit).await.map(drop)?;
    let mut form = Multipart::of(&headers)?;
    let provenance = provenance(&headers)?;
    let mut signature = Signature::of_write(&method, &uri, &headers, app.event_rules())?;
    let mut incoming = app.incoming(body)?;
    let mut draft = Draft { app: &app, place, provenance, field: None, purpose: None, upload: None, num_bytes: 0 };
    while let Some(part) = incoming.next().await? {
        if let Some(signature) = &mut signature {
            signature.update(&part);
        }
        form.feed(&part);
        while let Some(piece) = form.next()? {
            draft.take(piece).await?;
        }
    }
    form.finish()?;
    Signature::check_whole(signature, b"")?;
    draft.finish().await.map(Json)
}

/// The part of a form that comes.
enum Field {
    File,
    Purpose(Vec<u8>),
}

/// What has come of a form.
struct Draft<'a> {
    app: &'a App,
    place: Place,
    provenance: Provenance,
    field: Option<Field>,
    purpose: Option<Purpose>,
    upload: Option<(RelPath, Upload)>,
    num_bytes: u64,
}

impl Draft<'_> {
    async fn take(&mut self, piece: Piece) -> Result<(), Refused> {
        match piece {
            Piece::Begin(header) => self.begin(header).await,
            Piece::Data(bytes) => match &mut self.field {
                Some(Field::Purpose(value)) if value.len() + bytes.len() <= MAX_FIELD_BYTES => {
                    value.extend(bytes);
                    Ok(())
                }
                Some(Field::Purpose(_)) => Err(no_purpose("a longer text")),
                _ => self.write(bytes).await,
            },
            Piece::End => match self.field.take() {
                Some(Field::Purpose(value)) => {
                    let value = String::from_utf8_lossy(&value).into_owned();
                    let known = Purpose::ALL.into_iter().find(|purpose| purpose.name() == value);
                    self.purpose = Some(known.ok_or_else(|| no_purpose(&value))?);
                    Ok(())
                }
                _ => Ok(()),
            },
        }
    }

    async fn begin(&mut self, PartHeader { name, file_name }: PartHeader) -> Result<(), Refused> {
        match name.as_str() {
            "file" if self.upload.is_none() => {
                let path = path_of(file_name.as_deref().unwrap_or_default())?;
                let (place, provenance, at) = (self.place.clone(), self.provenance.clone(), path.clone());
                let begin = move |engine: &Engine| place.open(engine)?.begin_upload(&at)?.by(provenance);
                let Json(upload) = self.app.call(begin).await?;
                self.upload = Some((path, upload));
                self.field = Some(Field::File);
                Ok(())
            }
            "purpose" if self.purpose.is_none() => {
                self.field = Some(Field::Purpose(Vec::new()));
                Ok(())
            }
            "file" | "purpose" => Err(Refused::invalid(
                &name,
                "invalid_request",
                format!("`{name}` comes twice"),
                "send one file at once",
            )),
            name if name.starts_with("expires_after") => {
                let hint = "leave it out, and delete the file when it is not wanted any more";
                Err(Refused::invalid("expires_after", "unsupported", "files do not expire here", hint))
            }
            _ => {
                let name: String = name.chars().take(60).collect();
                let message = format!("the form has a field `{name}`, which is not known");
                Err(Refused::invalid(&name, "invalid_request", message, "send `file` and `purpose`"))
            }
        }
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Refused> {
        let Some((path, mut upload)) = self.upload.take() else { return Ok(()) };
        self.num_bytes += bytes.len() as u64;
        // It has had its turn.
        let Json(upload) = self.app.call_at_once(move |_| upload.write(&bytes).map(|()| upload)).await?;
        self.upload = Some((path, upload));
        Ok(())
    }

    async fn finish(self) -> Result<FileObject, Refused> {
        let missing = |name: &str| {
            let hint = "send `file` with a file, and `purpose`, `assistants` or `user_data`";
            Refused::invalid(name, "missing_parameter", format!("the form has no `{name}`"), hint)
        };
        let (path, upload) = self.upload.ok_or_else(|| missing("file"))?;
        let purpose = self.purpose.ok_or_else(|| missing("purpose"))?;
        let (place, mut provenance) = (self.place, self.provenance);
        provenance.tags.insert(purpose.tag());
        let object = FileObject {
            id: FileId::of(&place.id, &path),
            object: "file",
            bytes: self.num_bytes,
            created_at: Timestamp::now().as_second(),
            filename: path.file_name().to_owned(),
            purpose,
            status: FileStatus::Uploaded,
            status_details: None,
        };
        let finish = move |engine: &Engine| {
            let upload = upload.by(provenance)?;
            place.open(engine)?.finish_upload(upload, &Precondition::Absent)
        };
        self.app.call_at_once(finish).await.map(drop)?;
        Ok(object)
    }
}

fn no_purpose(value: &str) -> Refused {
    let value: String = value.chars().take(60).collect();
    let hint = "`assistants` or `user_data`: no models are trained and no batches are run here";
    Refused::invalid("purpose", "unsupported", format!("files are not taken for the purpose `{value}`"), hint)
}

/// A new path for a file of this name.
fn path_of(name: &str) -> Result<RelPath, Refused> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|_| ApiError::internal("the system has no random numbers"))?;
    let id: String = random.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect();
    let path = format!("{FOLDER}/{id}/{}", safe_name(name)).parse();
    Ok(path.map_err(|_| ApiError::internal("the path of an upload is none"))?)
}

/// A name that a file can have anywhere, as near to the given one as can be.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let is_plain = |c: char| !c.is_control() && !matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*');
    let plain: String = last.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let plain = plain.trim_end_matches(['.', ' ']);
    // The ending says what the file is, so the cut is before it.
    let (stem, ending) = match plain.rsplit_once('.') {
        Some((stem, ending)) if ending.len() < 20 => (stem, format!(".{ending}")),
        _ => (plain, String::new()),
    };
    let cut = &stem[..stem.floor_char_boundary(MAX_NAME_BYTES - ending.len())];
    let name = format!("{cut}{ending}");
    // Files with a dot before their name are passed over, and some names are those of devices.
    if name.is_empty() {
        "file".to_owned()
    } else if name.starts_with('.') || is_device_name(&name) {
        format!("_{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_uploads_are_made_safe_and_stay_what_they_were_otherwise() {
        for (given, safe) in [
            ("report.md", "report.md"),
            ("Übersicht 2026.pdf", "Übersicht 2026.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ann\\plan.docx", "plan.docx"),
            ("..", "file"),
            ("", "file"),
            ("a/", "file"),
            (".env", "_.env"),
            ("aux.md", "_aux.md"),
            ("a\0b\nc?.txt", "a_b_c_.txt"),
            ("trailing. ", "trailing"),
        ] {
            assert_eq!(safe_name(given), safe, "{given:?}");
        }
        let long = safe_name(&format!("{}.md", "ü".repeat(300)));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("ü.md"), "{long}");
        let (one, other) = (path_of("a.md").unwrap(), path_of("a.md").unwrap());
        assert!(one != other && one.as_str().starts_with("uploads/") && one.as_str().ends_with("/a.md"), "{one}");
    }

    proptest! {
        #[test]
        fn any_name_makes_a_path_two_folders_deep(name in "\\PC{0,300}|[./\\\\\0: ]{0,10}") {
            let path = path_of(&name).unwrap();
            prop_assert_eq!(path.as_str().split('/').count(), 3);
            prop_assert!(path.file_name().len() <= MAX_NAME_BYTES + 1);
        }
    }
}
