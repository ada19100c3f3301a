//! Style, script and icon of the page, in the program, under names that change with what they hold.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::compressed;
use crate::serve::error::ApiError;
use crate::workspace::ContentHash;

/// Characters of a hash that stand in a name.
const HASH_CHARS: usize = 12;

/// A file of the page.
pub(super) struct Asset {
    url: String,
    content_type: &'static str,
    bytes: &'static [u8],
    compressed: Vec<u8>,
}

impl Asset {
    fn of(name: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = ContentHash::of(bytes).to_string();
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        let url = format!("/assets/{stem}-{}.{extension}", &hash[..HASH_CHARS]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // A vector takes everything.
        let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default();
        Self { url, content_type, bytes, compressed }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("page.css", "text/css; charset=utf-8", include_bytes!("assets/page.css")));
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("page.js", "text/javascript; charset=utf-8", include_bytes!("assets/page.js")));
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")));
/// htmx 4.0.1 (0BSD, `assets/htmx-LICENSE`), as its package on npm has it.
pub(super) static HTMX: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("htmx.min.js", "text/javascript; charset=utf-8", include_bytes!("assets/htmx.min.js")));

/// Sends a file of the page. A browser keeps it: another content has another name.
pub(super) async fn asset(name: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Result<Response, ApiError> {
    // No file has a name that is no text.
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let all = [&*STYLE, &*SCRIPT, &*ICON, &*HTMX];
    let Some(asset) = all.into_iter().find(|asset| asset.url.strip_prefix("/assets/") == Some(&name)) else {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "no_route",
            "no file of the page has this name",
            "reload the page",
        ));
    };
    let takes_gzip = compressed::is_taken(&headers);
    let mut response = if takes_gzip { asset.compressed.clone().into_response() } else { asset.bytes.into_response() };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if takes_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn htmx_is_the_file_of_its_package() {
        assert_eq!(
            ContentHash::of(HTMX.bytes).to_string(),
            "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
        );
    }

    #[test]
    fn what_a_first_visit_loads_has_at_most_a_hundred_kilobytes() {
        let all = [&*STYLE, &*SCRIPT, &*ICON, &*HTMX];
        let sum: usize = all.iter().map(|asset| asset.compressed.len()).sum();
        assert!(sum > 0 && sum < 60_000, "{sum}");
    }
}
