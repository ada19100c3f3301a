//! Results as a person reads them.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::digest::{self, Extent};
use crate::answer::{
    AnswerKind, AnsweredBy, AskReply, CitationState, Field, Listing, Plan, PlanKind, Sentence, Verification,
};
use crate::embed::ModelEntry;
use crate::engine::{
    ChangesReply, FileList, IndexReport, ReasonGroup, ReindexReport, RerankerStatus, StatusReport, is_on_unread,
};
use crate::eval::{AnswerReport, PageReport, Report};
use crate::search::{Coverage, Hit, SearchReply};
use crate::workspace::{Citation, Facet, Facets, LockViolation, Provenance, Revision};

/// Lines of a passage that are shown; the whole is in `--json`.
const MAX_LINES: usize = 8;
/// Characters of a line that are shown.
const MAX_LINE_CHARS: usize = 200;
/// Files of a state that are listed.
const MAX_LISTED: usize = 20;
/// Values of a facet that are shown.
const MAX_VALUES: usize = 5;

/// `path:lines`, or `path, page n`, or what else the format counts.
pub(super) fn place(citation: &Citation) -> String {
    let path = &citation.path;
    if let Some(slide) = citation.slide {
        return format!("{path}, slide {slide}");
    }
    if let Some(cell) = &citation.cell {
        return format!("{path}, {cell}");
    }
    match (citation.page, citation.lines) {
        (Some(page), _) => format!("{path}, page {page}"),
        (None, Some(lines)) if lines.start == lines.end => format!("{path}:{}", lines.start),
        (None, Some(lines)) => format!("{path}:{}-{}", lines.start, lines.end),
        (None, None) => format!("{path}, bytes {}-{}", citation.span.start, citation.span.end),
    }
}

/// Where in its file a citation points, else the heading that it stands under; `None` where a person could follow neither.
pub(super) fn spot(citation: &Citation) -> Option<String> {
    citation.spot().or_else(|| citation.trail.last().map(|heading| format!("under `{heading}`")))
}

/// ` by AGENT, run RUN` behind what they wrote; nothing where neither is known.
pub(super) fn by(provenance: &Provenance) -> String {
    let by = provenance.to_string();
    if by.is_empty() { by } else { format!("  {by}") }
}

/// A line for each kind of value that files have: `agent: coder-03 12, writer 3`.
fn facets(out: &mut dyn Write, facets: &Facets) -> io::Result<()> {
    let Facets { agent, run, sandbox, tags, formats, folder, modified, left_off: _ } = facets;
    let by_writer = [("agent", agent), ("run", run), ("sandbox", sandbox), ("tags", tags)];
    for (name, values) in by_writer.into_iter().chain([("type", formats), ("folder", folder), ("modified", modified)]) {
        let shown = values.iter().take(MAX_VALUES).map(|Facet { value, files }| format!("{value} {files}"));
        let mut shown: Vec<String> = shown.collect();
        if values.len() > MAX_VALUES {
            shown.push(format!("… {} more in `--json`", values.len() - MAX_VALUES));
        }
        if !shown.is_empty() {
            writeln!(out, "{name}: {}", shown.join(", "))?;
        }
    }
    Ok(())
}

/// As [`facets`], where they were asked for; they are then not silent where nothing is known.
fn facets_asked_for(out: &mut dyn Write, counts: Option<&Facets>) -> io::Result<()> {
    match counts {
        None => Ok(()),
        Some(counts) => {
            if counts.is_empty() {
                writeln!(out, "nobody said who wrote these files")?;
            }
            facets(out, counts)
        }
    }
}

pub(super) fn changes(out: &mut dyn Write, reply: &ChangesReply) -> io::Result<()> {
    for change in &reply.changes {
        let kind = change.kind.name();
        let revision = change.revision;
        let from = change.from.as_ref().map(|from| format!(", before {from}")).unwrap_or_default();
        writeln!(out, "{revision:>6}  {:.0}  {kind:8}  {}{from}{}", change.at, change.path, by(&change.provenance))?;
    }
    if reply.changes.is_empty() {
        writeln!(out, "no such change")?;
    }
    facets_asked_for(out, reply.facets.as_ref())
}

pub(super) fn search(out: &mut dyn Write, reply: &SearchReply) -> io::Result<()> {
    for hit in &reply.hits {
        let by = by(&hit.citation.provenance);
        writeln!(out, "{}. {}  ({:.3}){by}", hit.rank, place(&hit.citation), hit.score)?;
        if !hit.citation.trail.is_empty() {
            writeln!(out, "   {}", hit.citation.trail.join(" > "))?;
        }
        if let Some(newer) = &hit.superseded_by {
            writeln!(out, "   replaced by {newer}")?;
        }
        if let Some(signals) = hit.signals {
            let leg = |rank: Option<usize>, score: Option<f32>| match (rank, score) {
                (Some(rank), Some(score)) => format!("rank {rank}, score {score:.3}"),
                _ => "not among its candidates".to_owned(),
            };
            writeln!(out, "   words:   {}", leg(signals.lexical_rank, signals.lexical_score))?;
            writeln!(out, "   meaning: {}", leg(signals.dense_rank, signals.dense_score))?;
            if let Some(score) = signals.reranked {
                writeln!(out, "   reranked: score {score:.3}")?;
            }
        }
        if let Some(header) = &hit.header {
            writeln!(out, "   │ {header}")?;
        }
        excerpt(out, hit)?;
        super::copies::copies(out, &hit.also_at)?;
        writeln!(out)?;
    }
    if reply.hits.is_empty() {
        writeln!(out, "nothing found")?;
    }
    facets_asked_for(out, reply.facets.as_ref())
}

fn excerpt(out: &mut dyn Write, hit: &Hit) -> io::Result<()> {
    let mut lines = hit.text.lines().filter(|line| !line.trim().is_empty());
    for line in lines.by_ref().take(MAX_LINES) {
        let short: String = line.chars().take(MAX_LINE_CHARS).collect();
        let cut = if short.len() < line.len() { " …" } else { "" };
        writeln!(out, "   │ {short}{cut}")?;
    }
    let more = lines.count();
    if more > 0 {
        writeln!(out, "   │ … {more} more lines")?;
    }
    Ok(())
}

/// An answer, without the first `num_shown` sentences, which the reader has seen.
pub(super) fn ask(out: &mut dyn Write, reply: &AskReply, num_shown: usize, extent: Extent) -> io::Result<()> {
    if let Some(reason) = &reply.reason {
        writeln!(out, "no answer: {reason}")?;
        nearest(out, reply)?;
    }
    if let Some(listing) = &reply.listing {
        self::listing(out, listing)?;
    }
    // In a digest the places stand beside the sentences, but for those of a summary of all files.
    let num_sentences = reply.digest.as_ref().map_or(reply.sentences.len(), |digest| digest.num_of_summary);
    let sentences = &reply.sentences[..num_sentences];
    for sentence in sentences.iter().skip(num_shown) {
        self::sentence(out, "", sentence)?;
    }
    if let Some(digest) = &reply.digest {
        if !sentences.is_empty() {
            writeln!(out)?;
        }
        digest::write(out, reply, digest, extent)?;
    }
    let cited: BTreeSet<usize> = match &reply.digest {
        Some(_) => sentences.iter().flat_map(|sentence| &sentence.citations).copied().collect(),
        None => (0..reply.citations.len()).collect(),
    };
    if !cited.is_empty() {
        writeln!(out)?;
    }
    for index in cited {
        let citation = &reply.citations[index];
        writeln!(out, "[{}] {}{}", index + 1, place(citation), by(&citation.provenance))?;
    }
    facets_asked_for(out, reply.facets.as_ref())
}

/// What comes nearest to a question without an answer.
fn nearest(out: &mut dyn Write, reply: &AskReply) -> io::Result<()> {
    if !reply.missing_words.is_empty() {
        writeln!(out, "nothing that was found has: {}", reply.missing_words.join(", "))?;
    }
    if !reply.nearest.is_empty() {
        writeln!(out, "nearest:")?;
    }
    for near in &reply.nearest {
        let words = near.citation.quote.split_whitespace().collect::<Vec<_>>().join(" ");
        let heading = near.place.as_deref().map(|place| format!("{place}: ")).unwrap_or_default();
        let lacks = if near.lacks.is_empty() { String::new() } else { format!(" (lacks {})", near.lacks.join(", ")) };
        let short: String = words.chars().take(MAX_LINE_CHARS).collect();
        writeln!(out, "  {heading}{short}  {}{lacks}", place(&near.citation))?;
    }
    Ok(())
}

/// The members of a list or count.
fn listing(out: &mut dyn Write, listing: &Listing) -> io::Result<()> {
    writeln!(out, "{}", listing.summary)?;
    for member in listing.members.iter().take(MAX_LISTED) {
        let marks: Vec<String> = member.citations.iter().map(|index| format!("[{}]", index + 1)).collect();
        let note = member.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        writeln!(out, "  {}{note} {}", member.label, marks.join(""))?;
    }
    let more = listing.members.len().saturating_sub(MAX_LISTED) + listing.num_not_listed;
    if more > 0 {
        writeln!(out, "  … {more} more; `--json` has {} of them", listing.members.len().saturating_sub(MAX_LISTED))?;
    }
    Ok(())
}

/// How the question was answered.
pub(super) fn plan(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    if plan.kind != PlanKind::Retrieval {
        writeln!(out, "plan: {}, because {}", plan.kind.name(), plan.why)?;
    }
    for note in &plan.notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

/// A sentence with the numbers of its citations, behind `indent`.
pub(super) fn sentence(out: &mut dyn Write, indent: &str, sentence: &Sentence) -> io::Result<()> {
    let marks: Vec<String> = sentence.citations.iter().map(|index| format!("[{}]", index + 1)).collect();
    let text = sentence.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let place = sentence.place.as_deref().map(|place| format!("{place}: ")).unwrap_or_default();
    let fields: Vec<String> = sentence.fields.iter().map(|Field { name, value }| format!("{name}: {value}")).collect();
    let text = if fields.is_empty() { text } else { fields.join(", ") };
    let replaced = sentence.superseded_by.as_ref().map(|path| format!(" (replaced by {path})")).unwrap_or_default();
    let problem = sentence.problem.as_ref().map(|problem| format!(" (not supported: {problem})")).unwrap_or_default();
    writeln!(out, "{indent}{place}{text} {}{problem}{replaced}", marks.join(""))
}

/// Who answered, where that was a language model or should have been one.
pub(super) fn answered_by(out: &mut dyn Write, answered_by: &AnsweredBy) -> io::Result<()> {
    let AnsweredBy { kind, model, fallback, num_dropped, cut } = answered_by;
    let model = model.as_deref().unwrap_or("a language model");
    if let Some(reason) = fallback {
        writeln!(out, "note: sentences of the files, because {model} gave no answer: {reason}")?;
    }
    if *kind == AnswerKind::Model {
        writeln!(out, "note: written by {model}; each sentence was checked against the words that it cites")?;
    }
    match num_dropped {
        0 => {}
        1 => writeln!(out, "note: 1 sentence was left out, because the words that it cites do not support it")?,
        _ => writeln!(
            out,
            "note: {num_dropped} sentences were left out, because the words that they cite do not support them"
        )?,
    }
    if *cut {
        writeln!(out, "note: the model wanted to write more than it may (`max_tokens` in `config.toml`)")?;
    }
    Ok(())
}

/// What a reply could see, in a line, and then what it could not.
pub(super) fn coverage(out: &mut dyn Write, revision: Revision, coverage: &Coverage) -> io::Result<()> {
    let files = &coverage.files;
    writeln!(out, "revision {revision}: {} of {} files searched", files.ready + files.partial, files.files)?;
    for note in &coverage.notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

/// As [`coverage`], with the notes on files of which nothing can be searched only where they may matter: where there is no answer, and
/// where the answer is about all files.
pub(super) fn coverage_of_answer(out: &mut dyn Write, reply: &AskReply) -> io::Result<()> {
    let AskReply { revision, coverage, .. } = reply;
    let mut concerning = coverage.clone();
    let is_on_all = matches!(reply.plan.kind, PlanKind::Overview | PlanKind::List | PlanKind::Count);
    if !reply.abstained && !is_on_all {
        concerning.notes.retain(|note| !is_on_unread(note));
    }
    self::coverage(out, *revision, &concerning)
}

pub(super) fn index(out: &mut dyn Write, report: &IndexReport, coverage: &Coverage) -> io::Result<()> {
    let (scan, line) = (&report.scan, &report.line);
    writeln!(
        out,
        "{} files: {} new, {} modified, {} deleted",
        scan.num_files, scan.num_created, scan.num_modified, scan.num_deleted
    )?;
    writeln!(
        out,
        "{} indexed as {} chunks, {} unchanged, {} removed; {} chunks embedded",
        line.num_indexed, line.num_chunks, line.num_unchanged, line.num_removed, line.num_embedded
    )?;
    let files = &coverage.files;
    writeln!(
        out,
        "{} ready, {} partial, {} empty, {} unsupported, {} failed, {} pending",
        files.ready, files.partial, files.empty, files.unsupported, files.failed, files.pending
    )?;
    for problem in &scan.problems {
        writeln!(out, "passed over: {problem}")?;
    }
    Ok(())
}

pub(super) fn reindexed(out: &mut dyn Write, report: &ReindexReport, status: &StatusReport) -> io::Result<()> {
    let by = report.done_by.as_deref().map(|holder| format!(" by {holder}")).unwrap_or_default();
    let files = &status.coverage.files;
    writeln!(
        out,
        "built again{by}: {} files, {} of them ready, {} chunks; {} chunks embedded anew",
        files.files, files.ready, status.num_chunks, report.num_embedded
    )
}

/// The files with their states, and how to see the next ones.
pub(super) fn files(out: &mut dyn Write, list: &FileList) -> io::Result<()> {
    for file in &list.files {
        let reason = file.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        writeln!(out, "{:11}  {}{reason}", file.state.name(), file.path)?;
    }
    if list.files.is_empty() {
        writeln!(out, "no such file")?;
    }
    match list.next_offset {
        Some(next) => writeln!(out, "… {} more: `--offset {next}`", list.total.saturating_sub(next)),
        None => Ok(()),
    }
}

/// The state of a workspace; `no_folder` stands where its folder is not told.
pub(super) fn status(out: &mut dyn Write, report: &StatusReport, no_folder: &str) -> io::Result<()> {
    writeln!(out, "workspace {}: {}", report.workspace, report.root.as_deref().unwrap_or(no_folder))?;
    coverage(out, report.revision, &report.coverage)?;
    writeln!(out, "{} chunks, {} of them embedded", report.num_chunks, report.num_embedded)?;
    if let Some(rebuild) = report.rebuild {
        writeln!(out, "building again: {} of {} files; the old index serves", rebuild.files_done, rebuild.files)?;
    }
    match &report.model.reason {
        None => writeln!(out, "model {}: runs", report.model.name)?,
        Some(reason) => writeln!(out, "model {}: does not run: {reason}", report.model.name)?,
    }
    if let Some(RerankerStatus { name, reason }) = &report.reranker {
        match reason {
            None => writeln!(out, "reranker {name}: runs")?,
            Some(reason) => writeln!(out, "reranker {name}: does not run: {reason}")?,
        }
    }
    match (&report.answerer.model, &report.answerer.base_url) {
        (Some(model), Some(base_url)) => writeln!(out, "answers: written by {model} at {base_url}")?,
        _ => writeln!(out, "answers: sentences of the files")?,
    }
    if let Some(weakness) = &report.weakness {
        writeln!(out, "note: {weakness}")?;
    }
    if let Some(stuck) = &report.stuck {
        writeln!(out, "stuck: {stuck}")?;
    }
    facets(out, &report.facets)?;
    for note in &report.webhooks {
        writeln!(out, "webhooks: {note}")?;
    }
    for LockViolation { path, revision, kind, at, lock } in &report.lock_violations {
        writeln!(
            out,
            "lock violated: {path} was {} on disk under the lock {} of {} (found {at:.0}, revision {revision})",
            kind.name(),
            lock.lock_id,
            lock.holder
        )?;
    }
    if !report.passed_over.is_empty() {
        writeln!(out, "passed over: {}", report.passed_over.len())?;
        for place in report.passed_over.iter().take(MAX_LISTED) {
            writeln!(out, "  {place}")?;
        }
    }
    for (state, groups) in &report.not_ready {
        writeln!(out, "{state}: {}", groups.iter().map(|group| group.num_files).sum::<usize>())?;
        for ReasonGroup { reason, num_files, files } in groups {
            match (&reason, &files[..]) {
                (Some(reason), [file]) => writeln!(out, "  {}: {reason}", file.path)?,
                (Some(reason), _) => writeln!(out, "  {reason}: {num_files} files")?,
                (None, _) => {}
            }
            let listed = if reason.is_some() && files.len() == 1 { &[] } else { &files[..files.len().min(MAX_LISTED)] };
            for file in listed {
                writeln!(out, "    {}", file.path)?;
            }
            if *num_files > listed.len() && *num_files > 1 {
                let all = if files.len() == *num_files { "; all are in `pincite status --json`" } else { "" };
                writeln!(out, "    … {} more{all}", num_files - listed.len())?;
            }
        }
    }
    Ok(())
}

pub(super) fn verification(out: &mut dyn Write, result: &Verification) -> io::Result<()> {
    let verdict = match result.verdict {
        CitationState::Valid => "valid",
        CitationState::Moved => "moved",
        CitationState::Changed => "changed",
        CitationState::Deleted => "deleted",
    };
    writeln!(out, "{verdict}: {}", result.explanation)?;
    match &result.citation {
        Some(citation) => writeln!(out, "{}{}", place(citation), by(&citation.provenance)),
        None => Ok(()),
    }
}

pub(super) fn evaluation(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}", report.settings)?;
    writeln!(
        out,
        "{} documents, {} queries ({} judged), {}",
        report.num_documents, report.num_queries, report.num_judged, report.mode
    )?;
    writeln!(out, "nDCG@10     {:.4}", report.ndcg_at_10)?;
    writeln!(out, "recall@100  {:.4}", report.recall_at_100)?;
    writeln!(out, "MRR@10      {:.4}", report.mrr_at_10)?;
    for (language, ndcg) in &report.by_language {
        writeln!(out, "nDCG@10 of {language}  {ndcg:.4}")?;
    }
    writeln!(
        out,
        "{:.0} queries/s, p50 {:.2} ms, p99 {:.2} ms (top 10)",
        report.queries_per_second, report.p50_ms, report.p99_ms
    )
}

pub(super) fn pages(out: &mut dyn Write, report: &PageReport) -> io::Result<()> {
    writeln!(out, "{}", report.settings)?;
    let quality = &report.quality;
    let scope = if report.within_document { "each in its own file" } else { "over all files" };
    writeln!(
        out,
        "{} files, {} questions ({} with evidence pages) {scope}, {}",
        report.num_files, report.num_queries, quality.num_judged, report.mode
    )?;
    let hits = [quality.hit_at_1, quality.hit_at_5, quality.hit_at_10, quality.hit_at_20];
    for (k, share) in [1, 5, 10, 20].into_iter().zip(hits) {
        writeln!(out, "{:10}  {share:.3}", format!("hit@{k}"))?;
    }
    writeln!(out, "{:10}  {:.3}", "MRR@10", quality.mrr_at_10)?;
    writeln!(out, "{:10}  {:.3}", "nDCG@10", quality.ndcg_at_10)?;
    writeln!(
        out,
        "{:.0} questions/s, p50 {:.2} ms, p99 {:.2} ms (top 10)",
        report.queries_per_second, report.p50_ms, report.p99_ms
    )
}

pub(super) fn answers(out: &mut dyn Write, report: &AnswerReport) -> io::Result<()> {
    writeln!(out, "{}", report.settings)?;
    let quality = &report.quality;
    let scope = if report.within_document { "each in its own file" } else { "over all files" };
    writeln!(out, "{} files, {} questions {scope}", report.num_files, report.num_questions)?;
    writeln!(out, "of {} that are answered in the files", quality.num_answerable)?;
    writeln!(out, "  answered from there  {:.3}", quality.answered)?;
    writeln!(out, "  wrong answers        {:.3}", quality.wrong_answers)?;
    writeln!(out, "  wrong abstentions    {:.3}", quality.wrong_abstentions)?;
    writeln!(out, "of {} that nothing answers", quality.num_unanswerable)?;
    writeln!(out, "  wrong answers        {:.3}", quality.wrong_answers_to_nothing)?;
    writeln!(
        out,
        "{:.1} answers/s, p50 {:.2} ms, p99 {:.2} ms",
        report.answers_per_second, report.p50_ms, report.p99_ms
    )
}

pub(super) fn models(out: &mut dyn Write, models: &[ModelEntry]) -> io::Result<()> {
    let width = models.iter().map(|model| model.name.len()).max().unwrap_or(0);
    for model in models {
        let state = match (model.default, model.present) {
            (true, _) => "default, here",
            (false, true) => "here",
            (false, false) => "to be pulled",
        };
        writeln!(
            out,
            "{:width$}  {:>4} dimensions  {:>5} tokens  {:13}  {}",
            model.name,
            model.num_dimensions,
            model.max_tokens,
            state,
            model.licence.as_deref().unwrap_or("licence: see its page")
        )?;
    }
    Ok(())
}
