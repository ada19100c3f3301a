//! What parent and child say to each other of a page that is drawn.

use std::io::{self, Read, Write};

use super::wire::{invalid, read_frame, write_frame};
use crate::extract::ExtractError;
use crate::extract::drawn::{DrawnPage, MAX_BOXES, MAX_PNG_BYTES, PageQuestion};

/// What stands beside the boxes and the picture, and each box.
const MAX_SAID_BYTES: u64 = 4096 + 100 * MAX_BOXES as u64;

pub(super) fn write_page(output: &mut impl Write, answer: &Result<DrawnPage, ExtractError>) -> io::Result<()> {
    write_frame(output, &serde_json::to_vec(answer)?)?;
    match answer.as_ref().map(|page| &page.picture) {
        Ok(Some(picture)) => write_frame(output, &picture.png),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// An answer about a page, or why it cannot be taken.
pub(super) fn read_page(input: &mut impl Read, question: &PageQuestion) -> io::Result<Result<DrawnPage, ExtractError>> {
    let mut next = |max_bytes: u64| match read_frame(input, max_bytes) {
        Ok(frame) => frame.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(invalid(error)),
        Err(error) => Err(error),
    };
    let mut answer: Result<DrawnPage, ExtractError> = serde_json::from_slice(&next(MAX_SAID_BYTES)?)?;
    if let Ok(page) = &mut answer {
        if let Some(picture) = &mut page.picture {
            picture.png = next(MAX_PNG_BYTES as u64)?;
        }
        if let Some(fault) = page.fault(question) {
            return Err(invalid(fault));
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::drawn::Picture;

    #[test]
    fn what_is_said_of_a_page_is_heard_and_checked() {
        let question = PageQuestion { number: 1, width: Some(2), mark: None };
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x03".to_vec();
        let picture = Some(Picture { width: 2, height: 3, png });
        let page = DrawnPage { num_pages: 1, size: (2.0, 3.0), boxes: vec![[0.1, 0.2, 0.3, 0.4]], picture };
        let failed = Err(ExtractError::Failed { reason: "no such page".to_owned() });
        for said in [Ok(page.clone()), failed] {
            let mut pipe = Vec::new();
            write_page(&mut pipe, &said).unwrap();
            assert_eq!(read_page(&mut &pipe[..], &question).unwrap(), said);
            for end in 0..pipe.len() {
                assert!(read_page(&mut &pipe[..end], &question).is_err());
            }
        }
        let mut pipe = Vec::new();
        write_page(&mut pipe, &Ok(page)).unwrap();
        let other = PageQuestion { number: 2, ..question };
        assert_eq!(read_page(&mut &pipe[..], &other).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let large = u64::MAX.to_le_bytes();
        assert_eq!(read_page(&mut &large[..], &question).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
