//! Who looks at a page: views show what the caller may see and do, and nothing else.

use maud::{Markup, html};

use super::form::TOKEN;
use crate::engine::Caller;
use crate::serve::app::App;
use crate::serve::door::{Checked, Place};
use crate::serve::error::ApiError;
use crate::workspace::{Scope, WorkspaceId};

/// Who looks at a page.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    caller: Caller,
    /// What the forms of the page are stamped with, where the caller comes with a session.
    token: Option<String>,
}

impl Viewer {
    pub(super) fn of(by: &Checked) -> Self {
        Self::with(by.as_checked().clone(), by)
    }

    /// A caller with the rights that are left to it, as it comes with a request.
    pub(super) fn with(caller: Caller, by: &Checked) -> Self {
        // Without randomness a page has no token, and its forms are refused.
        let token = by.session().map(|session| session.form_token().unwrap_or_default());
        Self { caller, token }
    }

    /// The caller with the rights that it has in a workspace, whose owner may have left it fewer than its key has.
    pub(super) async fn at(app: &App, place: &Place) -> Result<Self, ApiError> {
        let of = place.clone();
        let caller = app.call_at_once(move |engine| Ok(of.open(engine)?.caller().clone())).await?.0;
        Ok(Self::with(caller, &place.by))
    }

    /// Whether the caller has a right.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.caller.may(scope)
    }

    /// Whether the caller has any right in a workspace of that name.
    pub(super) fn reaches(&self, workspace: &WorkspaceId) -> bool {
        self.caller.reaches(workspace)
    }

    /// Whether the caller's rights hold in all workspaces and for all files.
    pub(super) fn is_for_all(&self) -> bool {
        self.caller.check_for_all().is_ok()
    }

    /// The id of the key that the caller holds.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.caller.key().map(|key| key.row.id.as_str())
    }

    /// What people call the key that the caller holds.
    pub(super) fn key_name(&self) -> Option<&str> {
        self.caller.key().map(|key| key.row.name.as_str())
    }

    /// Whether the caller comes with a session.
    pub(super) const fn is_signed_in(&self) -> bool {
        self.token.is_some()
    }

    /// The field that shows that a form is of a page of this session.
    pub(super) fn stamp(&self) -> Markup {
        html! { @if let Some(token) = &self.token { input type="hidden" name=(TOKEN) value=(token); } }
    }

    /// A link to a place in a file, or its words alone for a caller who may not read files.
    pub(super) fn to_file(&self, url: &str, words: &Markup) -> Markup {
        html! { @if self.may(Scope::FilesRead) { a href=(url) { (words) } } @else { (words) } }
    }
}
