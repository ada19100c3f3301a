//! Which folders may be a workspace's.
//!
//! # Invariants
//! - No workspace's folder is the data folder, holds it, or lies in it, whatever name, link or mount leads there: folders are compared by
//!   device and inode, and on Linux by what is mounted where. Two places in it are exempt, which are kept for one workspace each.
//! - A client names folders only below `workspaces.allowed_roots`, and is told nothing of others, not even whether they exist.

use std::path::{Path, PathBuf};

use super::recording::Told;
use super::{Engine, EngineError};
use crate::access::{Action, Caller};
use crate::files;
use crate::store::WorkspaceRow;
use crate::workspace::WorkspaceId;

impl Engine {
    /// Makes a workspace as [`Engine::create_workspace`] does, for a client that may name no other folders than the configured
    /// ones.
    ///
    /// # Errors
    /// As [`Engine::create_workspace`]; [`EngineError::RootNotAllowed`] for every folder that cannot be, whatever is there.
    pub fn create_workspace_for_client(
        &self,
        caller: &Caller,
        id: &WorkspaceId,
        root: Option<&Path>,
    ) -> Result<WorkspaceRow, EngineError> {
        self.recorded(caller, Some(id), Action::CreateWorkspace, Told::default(), |_| {
            self.create_for_client(caller, id, root)
        })
    }

    fn create_for_client(
        &self,
        caller: &Caller,
        id: &WorkspaceId,
        root: Option<&Path>,
    ) -> Result<WorkspaceRow, EngineError> {
        caller.check_for_all()?;
        self.data.must_log()?;
        let root = root.map(|root| self.allowed(root).ok_or(EngineError::RootNotAllowed)).transpose()?;
        match self.create_workspace(id, root.as_deref()) {
            Err(EngineError::OwnFolder { .. } | EngineError::Read(_)) => Err(EngineError::RootNotAllowed),
            other => other,
        }
    }

    /// The folder without links, where it lies below an allowed one.
    fn allowed(&self, root: &Path) -> Option<PathBuf> {
        if !root.is_absolute() {
            return None;
        }
        let root = files::canonical_folder(root).ok()?;
        let allowed = self
            .data
            .config
            .workspaces
            .allowed_roots
            .iter()
            .filter_map(|allowed| files::canonical_folder(allowed).ok());
        allowed.into_iter().any(|allowed| root != allowed && root.starts_with(allowed)).then_some(root)
    }

    /// Refuses the data folder, what holds it, and what lies in it. `root` is canonical.
    pub(super) fn check_root(&self, id: &WorkspaceId, root: &Path) -> Result<(), EngineError> {
        let data = files::canonical_folder(&self.data.path)?;
        let kept = [data.join("workspaces").join(id.as_str()).join("files"), data.join("corpus")];
        if !kept.iter().any(|kept| kept == root) && meet(root, &data) {
            return Err(EngineError::OwnFolder { root: root.to_owned() });
        }
        Ok(())
    }
}

/// Whether one of two folders is the other or lies in it.
fn meet(one: &Path, other: &Path) -> bool {
    let is_above = |above: &Path, below: &Path| below.ancestors().any(|below| is_same(above, below));
    is_above(one, other) || is_above(other, one) || meet_by_mounts(one, other)
}

#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| fs_err::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    one == other || id(one).is_some_and(|one| Some(one) == id(other))
}

#[cfg(not(unix))]
fn is_same(one: &Path, other: &Path) -> bool {
    one == other
}

/// The same by what is mounted where: a part of one folder may be mounted in the other, and has none of its ancestors there.
fn meet_by_mounts(one: &Path, other: &Path) -> bool {
    let Ok(table) = fs_err::read_to_string("/proc/self/mountinfo") else { return false };
    let mounts: Vec<Mount> = table.lines().filter_map(Mount::read).collect();
    meet_in(&mounts, one, other)
}

/// A mounted folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    device: String,
    /// What of the device is mounted.
    of_device: PathBuf,
    /// Where.
    at: PathBuf,
}

impl Mount {
    /// A line of `/proc/self/mountinfo`, as proc(5) has it.
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(' ').skip(2);
        let device = fields.next()?.to_owned();
        Some(Self { device, of_device: unescaped(fields.next()?), at: unescaped(fields.next()?) })
    }
}

/// Spaces and the like stand there as three octal digits.
fn unescaped(field: &str) -> PathBuf {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => text.extend([char::from(code)].into_iter().chain(part[3..].chars())),
            None => text.extend(['\\'].into_iter().chain(part.chars())),
        }
    }
    text.into()
}

fn meet_in(mounts: &[Mount], one: &Path, other: &Path) -> bool {
    let (ones, others) = (places(mounts, one), places(mounts, other));
    ones.iter().any(|(device, one)| {
        others.iter().any(|(also, other)| device == also && (one.starts_with(other) || other.starts_with(one)))
    })
}

/// Where a folder and everything that is mounted in it lie on their devices.
fn places<'a>(mounts: &'a [Mount], folder: &Path) -> Vec<(&'a str, PathBuf)> {
    let holding = mounts.iter().filter(|mount| folder.starts_with(&mount.at));
    // Of those that are mounted in one place, the last is seen.
    let holding = holding.max_by_key(|mount| mount.at.components().count());
    let own = holding.and_then(|mount| {
        let inside = folder.strip_prefix(&mount.at).ok()?;
        Some((mount.device.as_str(), mount.of_device.join(inside)))
    });
    let inside = mounts.iter().filter(|mount| mount.at != folder && mount.at.starts_with(folder));
    own.into_iter().chain(inside.map(|mount| (mount.device.as_str(), mount.of_device.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Access, OpenOptions};
    use crate::engine::{Caller, Surface};

    /// The folders of a test: a data folder in `home/data`, and `outside` beside it.
    struct Place {
        folder: tempfile::TempDir,
        engine: Engine,
    }

    impl Place {
        fn new(allowed: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["home/data", "home/other", "outside/inner"] {
                fs_err::create_dir_all(folder.path().join(name)).unwrap();
            }
            let allowed: Vec<String> =
                allowed.iter().map(|name| format!("{:?}", folder.path().join(name).display().to_string())).collect();
            let config = format!("[workspaces]\nallowed_roots = [{}]\n", allowed.join(", "));
            let data = folder.path().join("home/data");
            fs_err::write(data.join("config.toml"), config).unwrap();
            let engine = Engine::open(OpenOptions::new(data, Access::Write, "a test")).unwrap();
            Self { folder, engine }
        }

        fn made(&self, name: &str) -> Result<(), &'static str> {
            use crate::error::Advice as _;
            let root = self.folder.path().join(name);
            let id: WorkspaceId = "made".parse().unwrap();
            let made = self
                .engine
                .create_workspace_for_client(&Caller::local(Surface::Rest), &id, Some(&root))
                .map_err(|error| error.code());
            made.map(|_| self.engine.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().delete().unwrap())
        }

        fn by_command_line(&self, name: &str) -> bool {
            let root = self.folder.path().join(name);
            let id: WorkspaceId = "typed".parse().unwrap();
            match self.engine.create_workspace(&id, Some(&root)) {
                Ok(_) => self.engine.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().delete().is_ok(),
                Err(error) => {
                    assert!(matches!(error, EngineError::OwnFolder { .. }), "{error}");
                    false
                }
            }
        }
    }

    #[test]
    fn a_client_names_folders_below_the_allowed_ones_alone_and_learns_of_no_other() {
        let place = Place::new(&["outside", "home", "not there"]);
        assert_eq!(place.made("outside/inner"), Ok(()));
        assert_eq!(place.made("home/other"), Ok(()));
        for refused in [
            "outside",
            "outside/none",
            "elsewhere",
            "home/data",
            "home/data/workspaces",
            "outside/inner/../../home/data",
        ] {
            assert_eq!(place.made(refused), Err("root_not_allowed"), "{refused}");
        }
        assert_eq!(Place::new(&[]).made("outside/inner"), Err("root_not_allowed"));
    }

    #[test]
    #[cfg(unix)]
    fn a_link_below_an_allowed_folder_leads_nowhere_else() {
        use std::os::unix::fs::symlink;
        let place = Place::new(&["outside"]);
        symlink(place.folder.path().join("home/other"), place.folder.path().join("outside/link")).unwrap();
        symlink(place.folder.path().join("home/data"), place.folder.path().join("outside/data")).unwrap();
        symlink(place.folder.path().join("outside/inner"), place.folder.path().join("outside/fine")).unwrap();
        assert_eq!(place.made("outside/link"), Err("root_not_allowed"));
        assert_eq!(place.made("outside/data"), Err("root_not_allowed"));
        assert_eq!(place.made("outside/fine"), Ok(()));
        assert!(!place.by_command_line("outside/data"), "the link is the data folder");
    }

    #[test]
    fn the_command_line_names_any_folder_but_the_data_folder_its_parents_and_its_parts() {
        let place = Place::new(&[]);
        fs_err::create_dir_all(place.folder.path().join("home/data/workspaces/other/files")).unwrap();
        assert!(place.by_command_line("home/other") && place.by_command_line("outside"));
        for refused in ["home/data", "home", "", "home/data/workspaces", "home/data/workspaces/other/files"] {
            assert!(!place.by_command_line(refused), "{refused}");
        }
    }

    #[test]
    fn a_mount_is_the_folder_that_is_mounted() {
        let table = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                     30 22 8:1 /srv/data /mnt/all rw - ext4 /dev/sda1 rw\n\
                     31 22 8:1 /srv/data/workspaces/a\\040b /mnt/part rw - ext4 /dev/sda1 rw\n\
                     32 22 8:1 /srv /home/me/deep/srv rw - ext4 /dev/sda1 rw\n\
                     33 22 0:5 / /mnt/memory rw - tmpfs tmpfs rw\n";
        let mounts: Vec<Mount> = table.lines().filter_map(Mount::read).collect();
        assert_eq!(mounts[2].of_device, Path::new("/srv/data/workspaces/a b"));
        let meets = |root: &str| meet_in(&mounts, Path::new(root), Path::new("/srv/data"));
        for root in ["/srv", "/srv/data/x", "/mnt/all", "/mnt/all/models", "/mnt/part/sub", "/mnt", "/home/me"] {
            assert!(meets(root), "{root}");
        }
        for root in ["/srv/database", "/mnt/memory", "/mnt/memory/srv/data", "/home/you", "/opt"] {
            assert!(!meets(root), "{root}");
        }
    }
}
