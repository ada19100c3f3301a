//! The verbs, by name: what each needs, and what it does to what it is about.

use crate::workspace::Scope;

/// What a verb does, for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It makes something.
    Create,
    /// It only reads.
    Read,
    /// It changes something.
    Update,
    /// It removes something.
    Delete,
}

macro_rules! actions {
    ($($variant:ident $name:literal $scope:ident $effect:ident $doc:literal;)*) => {
        /// A verb that a caller may ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $(#[doc = $doc] $variant,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name as the record has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The right that it needs.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)* }
            }

            /// What it does.
            #[must_use]
            pub const fn effect(self) -> Effect {
                match self { $(Self::$variant => Effect::$effect,)* }
            }
        }
    };
}

actions! {
    Search "search" Search Read "Finds passages.";
    Ask "ask" Ask Read "Answers a question.";
    Read "file.read" FilesRead Read "Reads a file: its text, bytes, or a page as a picture.";
    List "file.list" FilesRead Read "Lists files.";
    Changes "changes.list" FilesRead Read "Lists changes.";
    Status "status.read" FilesRead Read "Reads the status, or waits for a revision.";
    Verify "citation.verify" FilesRead Read "Verifies a citation.";
    Verdicts "verdict.list" FilesRead Read "Lists verdicts.";
    Judge "verdict.create" FilesWrite Create "Stores a verdict.";
    Withdraw "verdict.delete" FilesWrite Delete "Withdraws a verdict.";
    Write "file.write" FilesWrite Update "Writes a file.";
    MakeFolder "folder.create" FilesWrite Create "Makes a folder.";
    LinkUpload "upload.create" FilesWrite Create "Makes a link that takes a file.";
    Move "file.move" FilesWrite Update "Gives a file another path.";
    Lock "lock.take" Locks Update "Takes a lock, or extends one.";
    Unlock "lock.release" Locks Update "Releases a lock.";
    ListLocks "lock.list" Locks Read "Lists locks.";
    BreakLock "lock.break" Admin Delete "Takes a lock from its holder.";
    Delete "file.delete" FilesWrite Delete "Deletes a file.";
    Events "events.take" FilesWrite Update "Takes events of files.";
    Index "index.run" Admin Update "Scans or indexes a workspace, or builds its index again.";
    CreateWorkspace "workspace.create" Admin Create "Makes a workspace.";
    ChangeWorkspace "workspace.update" Admin Update "Changes a workspace.";
    DeleteWorkspace "workspace.delete" Admin Delete "Deletes a workspace.";
    OfferTransfer "workspace.offer" Admin Create "Offers to hand a workspace over.";
    ListTransfers "workspace.offers" Admin Read "Lists the offers to hand a workspace over.";
    WithdrawTransfer "workspace.withdraw" Admin Delete "Takes an offer to hand a workspace over back.";
    ListKeys "key.list" Keys Read "Lists keys.";
    CreateKey "key.create" Keys Create "Makes a key.";
    ChangeKey "key.update" Keys Update "Renames or narrows a key, or replaces its secret.";
    RevokeKey "key.revoke" Keys Delete "Revokes a key.";
    ListWebhooks "webhook.list" Webhooks Read "Lists webhooks.";
    CreateWebhook "webhook.create" Webhooks Create "Makes a webhook.";
    ChangeWebhook "webhook.update" Webhooks Update "Changes a webhook, or replaces its secret.";
    DeleteWebhook "webhook.delete" Webhooks Delete "Deletes a webhook.";
    ListDeliveries "delivery.list" Webhooks Read "Lists the deliveries of a webhook.";
    SendDelivery "delivery.send" Webhooks Update "Sends a test, or a message again.";
    Audit "audit.read" AuditRead Read "Reads the audit journal.";
    Metrics "metrics.read" Admin Read "Reads figures of the server.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_actions_have_one_name() {
        let names: HashSet<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
    }
}
