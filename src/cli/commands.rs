//! What each command does.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;

use super::answering::Answering;
use super::args::{AskArgs, ChangesArgs, Cli, Command, EvalArgs, ModelsCommand, SearchArgs};
use super::digest::Extent;
use super::progress::Terminal;
use super::text;
use crate::answer::{AskRequest, CitationState, DEFAULT_MAX_FILES};
use crate::budget::Budget;
use crate::config::Config;
use crate::embed;
use crate::engine::{self, Access, Caller, Engine, EngineError, IndexReport, OpenOptions, Surface};
use crate::eval::{EvalOptions, PageOptions, Run, evaluate, evaluate_answers, evaluate_pages};
use crate::extract::child::{self, Program};
use crate::extract::{Document, ExtractError, Member, language_of};
use crate::private;
use crate::search::{Coverage, SearchRequest};
use crate::workspace::{Citation, Language, WorkspaceId};

/// How a command ended that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// With a result.
    Yes,
    /// Without one.
    NothingFound,
}

impl Done {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::NothingFound => 1,
        }
    }

    pub(super) const fn when(found: bool) -> Self {
        if found { Self::Yes } else { Self::NothingFound }
    }
}

/// What every command needs.
pub(super) struct Session {
    data_folder: PathBuf,
    pub workspace: WorkspaceId,
    json: bool,
    pub progress: Arc<Terminal>,
}

pub(super) fn run(cli: Cli) -> anyhow::Result<Done> {
    let data_folder = match cli.data_dir {
        Some(folder) => folder,
        None => directories::ProjectDirs::from("", "", "pincite")
            .map(|folders| folders.data_dir().to_owned())
            .context("the platform's data folder is not known: name one with `--data-dir FOLDER`")?,
    };
    let session =
        Session { data_folder, workspace: cli.workspace, json: cli.json, progress: Arc::new(Terminal::new()) };
    match cli.command {
        Command::Index { path, strict } => index(&session, &path, strict),
        Command::Search(args) => search(&session, &args),
        Command::Ask(args) => ask(&session, &args),
        Command::Serve { path, listen } => super::serving::serve(&session, path.as_deref(), listen),
        Command::Mcp { path } => super::serving::mcp(&session, path.as_deref()),
        Command::Status => status(&session),
        Command::Changes(args) => changes(&session, &args),
        Command::Verdicts(args) => super::verdicts::run(&session, &args),
        Command::Reindex => reindex(&session),
        Command::Extract { file } => extract(&session, &file),
        Command::ReadFiles { memory_bytes } => {
            child::serve(memory_bytes)?;
            Ok(Done::Yes)
        }
        Command::Workspace { command } => super::spaces::run(&session, &command),
        Command::Key { command } => super::keys::run(&session, &command),
        Command::Limits => super::limits::run(&session),
        Command::Verify { citation } => verify(&session, &citation),
        Command::Eval(args) => eval(&session, &args),
        Command::Models { command } => models(&session, &command),
    }
}

/// This program, as a child that reads files.
fn reader_program() -> Result<Program, EngineError> {
    // On Linux this is what runs here, also when another version has been put in its place since.
    let itself = Path::new("/proc/self/exe");
    let path = if itself.exists() { itself.to_owned() } else { std::env::current_exe().map_err(EngineError::Io)? };
    Ok(Program { path, arguments: vec!["read-files".to_owned()] })
}

impl Session {
    pub(super) fn open(&self, access: Access, command: &str) -> Result<Engine, EngineError> {
        if access != Access::Read {
            private::begin();
        }
        Engine::open(OpenOptions {
            fetch_progress: self.progress.clone(),
            reader_program: Some(reader_program()?),
            ..OpenOptions::new(&self.data_folder, access, command)
        })
    }

    /// Opens the data folder to ask something, after bringing `path` up to date where it is given.
    fn open_for_question(&self, path: Option<&Path>, command: &str) -> anyhow::Result<Engine> {
        let Some(path) = path else { return Ok(self.open(Access::Read, command)?) };
        let engine = self.open(Access::Share, command)?;
        self.bring_up_to_date(&engine, path)?;
        Ok(engine)
    }

    fn bring_up_to_date(&self, engine: &Engine, path: &Path) -> anyhow::Result<IndexReport> {
        Ok(engine.workspace_at(&self.workspace, path, &Caller::local(Surface::CommandLine))?.index(&*self.progress)?)
    }

    pub(super) fn print<T: Serialize>(
        &self,
        result: &T,
        as_text: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, result).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            as_text(&mut out)?;
        }
        out.flush()?;
        Ok(())
    }
}

#[derive(Serialize)]
struct IndexCounts<'a> {
    revision: u64,
    files: usize,
    created: usize,
    modified: usize,
    deleted: usize,
    indexed: usize,
    unchanged: usize,
    removed: usize,
    chunks: usize,
    embedded: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_by: Option<&'a str>,
    coverage: &'a Coverage,
    passed_over: &'a [String],
}

fn index(session: &Session, path: &Path, strict: bool) -> anyhow::Result<Done> {
    let engine = session.open(Access::Share, "pincite index")?;
    let report = session.bring_up_to_date(&engine, path)?;
    let status = engine.workspace(&session.workspace, &Caller::local(Surface::CommandLine))?.status()?;
    let (scan, line) = (&report.scan, &report.line);
    let counts = IndexCounts {
        revision: status.revision.0,
        files: scan.num_files,
        created: scan.num_created,
        modified: scan.num_modified,
        deleted: scan.num_deleted,
        indexed: line.num_indexed,
        unchanged: line.num_unchanged,
        removed: line.num_removed,
        chunks: line.num_chunks,
        embedded: line.num_embedded,
        done_by: report.done_by.as_deref(),
        coverage: &status.coverage,
        passed_over: &scan.problems,
    };
    session.print(&counts, |out| text::index(out, &report, &status.coverage))?;
    if !session.json {
        let mut err = std::io::stderr();
        for file in status.not_ready.get("failed").into_iter().flatten().flat_map(|group| &group.files) {
            writeln!(err, "failed: {}: {}", file.path, file.reason.as_deref().unwrap_or("no reason"))?;
        }
        if let Some(holder) = &report.done_by {
            writeln!(err, "note: indexed by {holder}, which may still be embedding")?;
        }
        if let Some(reason) = &report.words_alone {
            writeln!(err, "note: searchable by words alone: {reason}")?;
        }
    }
    Ok(Done::when(!strict || status.coverage.files.failed == 0 && scan.problems.is_empty()))
}

#[derive(Serialize)]
struct Reindexed<'a> {
    generation: i64,
    chunks: usize,
    embedded: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_by: Option<&'a str>,
    coverage: &'a Coverage,
}

fn reindex(session: &Session) -> anyhow::Result<Done> {
    let engine = session.open(Access::Share, "pincite reindex")?;
    let report =
        engine.workspace(&session.workspace, &Caller::local(Surface::CommandLine))?.reindex(&*session.progress)?;
    let status = engine.workspace(&session.workspace, &Caller::local(Surface::CommandLine))?.status()?;
    let reindexed = Reindexed {
        generation: report.generation,
        chunks: status.num_chunks,
        embedded: report.num_embedded,
        done_by: report.done_by.as_deref(),
        coverage: &status.coverage,
    };
    session.print(&reindexed, |out| text::reindexed(out, &report, &status))?;
    Ok(Done::Yes)
}

fn search(session: &Session, args: &SearchArgs) -> anyhow::Result<Done> {
    let engine = session.open_for_question(args.path.as_deref(), "pincite search")?;
    let request = SearchRequest {
        query: args.query.clone(),
        k: args.k,
        offset: args.offset,
        mode: args.mode,
        fusion: args.fusion,
        filters: args.scope.filters(),
        min_revision: args.scope.min_revision(),
        wait_ms: args.scope.wait_ms,
        timeout_ms: args.scope.timeout_ms,
        explain: args.explain,
        facets: args.facets,
        every_passage: false,
    };
    let reply = engine
        .workspace(&session.workspace, &Caller::local(Surface::CommandLine))?
        .search_within(&request, &Budget::default())?;
    session.print(&reply, |out| text::search(out, &reply))?;
    if !session.json {
        super::copies::notes(&mut std::io::stderr(), &reply.notes)?;
        text::coverage(&mut std::io::stderr(), reply.revision, &reply.coverage)?;
    }
    Ok(Done::when(!reply.hits.is_empty()))
}

fn ask(session: &Session, args: &AskArgs) -> anyhow::Result<Done> {
    let engine = session.open_for_question(args.path.as_deref(), "pincite ask")?;
    let request = AskRequest {
        question: args.question.clone(),
        filters: args.scope.filters(),
        max_sentences: args.max_sentences,
        plan: args.plan,
        max_files: args.max_files.unwrap_or(DEFAULT_MAX_FILES),
        now: args.now,
        time_zone: args.time_zone.clone(),
        min_revision: args.scope.min_revision(),
        wait_ms: args.scope.wait_ms,
        timeout_ms: args.scope.timeout_ms,
        answerer: args.answerer,
        facets: args.facets,
    };
    let extent = if args.all || args.max_files.is_some_and(|number| number > DEFAULT_MAX_FILES) {
        Extent::All
    } else {
        Extent::Screen
    };
    let mut progress = Answering::new(!session.json && std::io::stdout().is_terminal());
    let reply = engine.workspace(&session.workspace, &Caller::local(Surface::CommandLine))?.ask_within(
        &request,
        &Budget::default(),
        &mut |event| progress.tell(&event).is_ok(),
    )?;
    let shown = progress.num_shown();
    session.print(&reply, |out| text::ask(out, &reply, shown, extent))?;
    if !session.json {
        text::plan(&mut std::io::stderr(), &reply.plan)?;
        text::answered_by(&mut std::io::stderr(), &reply.answered_by)?;
        text::coverage_of_answer(&mut std::io::stderr(), &reply)?;
    }
    Ok(Done::when(!reply.abstained))
}

fn status(session: &Session) -> anyhow::Result<Done> {
    let engine = session.open(Access::Read, "pincite status")?;
    let report = engine.workspace(&session.workspace, &Caller::local(Surface::CommandLine))?.status()?;
    session.print(&report, |out| text::status(out, &report))?;
    Ok(Done::Yes)
}

fn changes(session: &Session, args: &ChangesArgs) -> anyhow::Result<Done> {
    let engine = session.open(Access::Read, "pincite changes")?;
    let reply =
        engine.workspace(&session.workspace, &Caller::local(Surface::CommandLine))?.recent_changes(&args.request())?;
    session.print(&reply, |out| text::changes(out, &reply))?;
    Ok(Done::when(!reply.changes.is_empty()))
}

fn verify(session: &Session, citation: &Path) -> anyhow::Result<Done> {
    let json = if citation == Path::new("-") {
        let mut json = String::new();
        std::io::stdin().read_to_string(&mut json).context("standard input is not text")?;
        json
    } else {
        fs_err::read_to_string(citation)
            .context("the citation cannot be read: name a file that holds its JSON, or `-` for standard input")?
    };
    let citation: Citation = serde_json::from_str(&json).context(
        "this is not a citation: give one object of `citations` or `citation` from a reply that was made with `--json`",
    )?;
    let engine = session.open(Access::Read, "pincite verify")?;
    let result = engine.workspace(&citation.workspace, &Caller::local(Surface::CommandLine))?.verify(&citation)?;
    session.print(&result, |out| text::verification(out, &result))?;
    Ok(Done::when(matches!(result.verdict, CitationState::Valid | CitationState::Moved)))
}

/// A document as it is printed, with the language of its words, and of those of each file inside it.
#[derive(Serialize)]
struct Extracted<'a> {
    spoken_language: Option<Language>,
    spoken_languages_inside: BTreeMap<&'a str, Language>,
    #[serde(flatten)]
    document: &'a Document,
}

impl<'a> Extracted<'a> {
    fn of(document: &'a Document) -> Self {
        let inside = |member: &'a Member| Some((member.path.as_str(), language_of(member.outcome.as_ref().ok()?)?));
        Self {
            spoken_language: language_of(document),
            spoken_languages_inside: document.members.iter().filter_map(inside).collect(),
            document,
        }
    }
}

fn extract(session: &Session, file: &Path) -> anyhow::Result<Done> {
    let bytes = fs_err::read(file).context("nothing can be read: name a file, and one that may be read")?;
    let config = Config::load(&session.data_folder).map_err(EngineError::from)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let document = match engine::extractor(&config, Some(reader_program()?))?.extract(bytes, &name) {
        Ok(document) => document,
        Err(error @ ExtractError::Unavailable { .. }) => return Err(EngineError::from(error).into()),
        Err(error) => {
            writeln!(std::io::stderr(), "no text: {error}")?;
            return Ok(Done::NothingFound);
        }
    };
    let extracted = Extracted::of(&document);
    session.print(&extracted, |out| out.write_all(document.text.as_bytes()))?;
    Ok(Done::when(!document.text.trim().is_empty()))
}

fn eval(session: &Session, args: &EvalArgs) -> anyhow::Result<Done> {
    let options = EvalOptions {
        collection: args.folder.clone(),
        files: args.files.clone(),
        data_folder: session.data_folder.clone(),
        runtime_folder: embed::RuntimeOptions::from_env(&session.data_folder).dir,
        mode: args.mode,
        fusion: args.fusion,
        fetch_progress: session.progress.clone(),
        reader_program: Some(reader_program()?),
    };
    let write = |run: &Run| -> anyhow::Result<()> {
        if let Some(path) = &args.run {
            let mut file = std::io::BufWriter::new(fs_err::File::create(path)?);
            run.write(&mut file, "pincite")?;
            file.flush()?;
        }
        Ok(())
    };
    if args.answers {
        let (report, rows) = evaluate_answers(&options, args.within_document, &*session.progress)?;
        if let Some(path) = &args.run {
            let mut file = std::io::BufWriter::new(fs_err::File::create(path)?);
            for row in &rows {
                writeln!(file, "{}", serde_json::to_string(row)?)?;
            }
            file.flush()?;
        }
        session.print(&report, |out| text::answers(out, &report))?;
    } else if args.pages {
        let pages = PageOptions { qrels: args.qrels.clone(), within_document: args.within_document };
        let (report, run) = evaluate_pages(&options, &pages, &*session.progress)?;
        write(&run)?;
        session.print(&report, |out| text::pages(out, &report))?;
    } else {
        let (report, run) = evaluate(&options, &*session.progress)?;
        write(&run)?;
        session.print(&report, |out| text::evaluation(out, &report))?;
    }
    Ok(Done::Yes)
}

fn models(session: &Session, command: &ModelsCommand) -> anyhow::Result<Done> {
    match command {
        ModelsCommand::List => {
            let models = embed::list(&session.data_folder).map_err(EngineError::from)?;
            session.print(&models, |out| text::models(out, &models))?;
        }
        ModelsCommand::Pull { name } => {
            let mut options = embed::OpenOptions::from_env(&session.data_folder);
            options.progress = session.progress.clone();
            private::begin();
            let model = embed::pull(&session.data_folder, name, &options).map_err(EngineError::from)?;
            session.print(&model, |out| writeln!(out, "{} is ready", model.name))?;
        }
    }
    Ok(Done::Yes)
}
