//! What each command does.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;

use super::answering::Answering;
use super::args::{AskArgs, ChangesArgs, Cli, Command, EvalArgs, FilesArgs, ModelsCommand, SearchArgs};
use super::digest::Extent;
use super::plain;
use super::progress::Terminal;
use super::reach::{Reach, reach};
use super::remote::{Remote, RemoteError};
use super::target::{Target, local, user};
use super::text;
use crate::answer::{AskRequest, CitationState, DEFAULT_MAX_FILES};
use crate::config::Config;
use crate::embed;
use crate::engine::{self, Access, Engine, EngineError, IndexReport, OpenOptions};
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
    /// As the command has ended that it ran.
    Ended(u8),
}

impl Done {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::NothingFound => 1,
            Self::Ended(code) => code,
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
    pub json: bool,
    pub progress: Arc<Terminal>,
    /// The server that is asked in place of the data folder.
    remote: Option<Remote>,
}

pub(super) fn run(mut cli: Cli) -> anyhow::Result<Done> {
    // Before anything of the environment is looked at.
    if let Command::ReadFiles { memory_bytes } = cli.command {
        child::serve(memory_bytes)?;
        return Ok(Done::Yes);
    }
    if let Command::Sync(args) = &cli.command {
        cli.remote.url = Some(args.server.clone());
    }
    let remote = Remote::of(&cli.remote)?;
    if let (Some(_), Reach::Here { command, instead }) = (&remote, reach(&cli.command)) {
        return Err(RemoteError::OnlyHere { command, instead }.into());
    }
    let data_folder = match cli.data_dir {
        Some(folder) => folder,
        None => directories::ProjectDirs::from("", "", "pincite")
            .map(|folders| folders.data_dir().to_owned())
            .context("the platform's data folder is not known: name one with `--data-dir FOLDER`")?,
    };
    let (workspace, json, progress) = (cli.workspace, cli.json, Arc::new(Terminal::new()));
    let session = Session { data_folder, workspace, json, progress, remote };
    match cli.command {
        Command::Index { path, strict } => index(&session, &path, strict),
        Command::Search(args) => search(&session, &args),
        Command::Ask(args) => ask(&session, &args),
        Command::Serve(args) => super::serving::serve(&session, &args),
        Command::Mcp { path, tools } => super::serving::mcp(&session, path.as_deref(), tools.into()),
        Command::Sync(args) => super::sync::run(&session, &args),
        Command::Status => status(&session),
        Command::Files(args) => files(&session, &args),
        Command::Changes(args) => changes(&session, &args),
        Command::Verdicts(args) => super::verdicts::run(&session, &args),
        Command::Audit(args) => super::audit::run(&session, &args),
        Command::Reindex => reindex(&session),
        Command::Extract { file } => extract(&session, &file),
        Command::ReadFiles { .. } => Ok(Done::Yes),
        Command::Webhook { command } => super::webhooks::run(&session, &command),
        Command::Lock { command } => super::locks::run(&session, &command),
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

    /// The server that was named.
    pub(super) fn server(&self) -> anyhow::Result<&Remote> {
        self.remote.as_ref().context("the URL names no server: give it as `https://host:7878`")
    }

    /// The server that was named, or else the data folder, opened for `access`.
    pub(super) fn target(&self, access: Access, command: &str) -> Result<Target<'_>, EngineError> {
        Ok(match &self.remote {
            Some(remote) => Target::Server(remote),
            None => Target::Local(Box::new(self.open(access, command)?)),
        })
    }

    /// The target of a question, after bringing `path` up to date where it is given.
    fn target_of_question(&self, path: Option<&Path>, command: &str) -> anyhow::Result<Target<'_>> {
        let Some(path) = path else { return Ok(self.target(Access::Read, command)?) };
        if self.remote.is_some() {
            let instead = "leave `--path` out: the server watches its folders itself";
            return Err(RemoteError::OnlyHere { command: "--path", instead }.into());
        }
        let engine = self.open(Access::Share, command)?;
        self.bring_up_to_date(&engine, path)?;
        Ok(Target::Local(Box::new(engine)))
    }

    /// What is shown in place of a folder that is not told: servers keep the names of their folders.
    pub(super) const fn no_folder(&self) -> &'static str {
        if self.remote.is_some() { "on the server" } else { "no folder" }
    }

    fn bring_up_to_date(&self, engine: &Engine, path: &Path) -> anyhow::Result<IndexReport> {
        Ok(engine.workspace_at(&self.workspace, path, &user())?.index(&*self.progress)?)
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
            plain::write(&mut out, as_text)?;
        }
        out.flush()?;
        Ok(())
    }

    /// Writes notes for a person to standard error; none beside JSON.
    fn note(&self, notes: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
        if self.json { Ok(()) } else { plain::write(&mut std::io::stderr(), notes) }
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
    let status = local(&engine, &session.workspace)?.status()?;
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
    session.note(|err| {
        for file in status.not_ready.get("failed").into_iter().flatten().flat_map(|group| &group.files) {
            writeln!(err, "failed: {}: {}", file.path, file.reason.as_deref().unwrap_or("no reason"))?;
        }
        if let Some(holder) = &report.done_by {
            writeln!(err, "note: indexed by {holder}, which may still be embedding")?;
        }
        if let Some(reason) = &report.words_alone {
            writeln!(err, "note: searchable by words alone: {reason}")?;
        }
        Ok(())
    })?;
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
    let report = local(&engine, &session.workspace)?.reindex(&*session.progress)?;
    let status = local(&engine, &session.workspace)?.status()?;
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
    let target = session.target_of_question(args.path.as_deref(), "pincite search")?;
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
    let reply = target.search(&session.workspace, &request)?;
    session.print(&reply, |out| text::search(out, &reply))?;
    session.note(|err| {
        super::copies::notes(err, &reply.notes)?;
        text::coverage(err, reply.revision, &reply.coverage)
    })?;
    Ok(Done::when(!reply.hits.is_empty()))
}

fn ask(session: &Session, args: &AskArgs) -> anyhow::Result<Done> {
    let target = session.target_of_question(args.path.as_deref(), "pincite ask")?;
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
    let reply = target.ask(&session.workspace, &request, &mut |told| progress.tell(told).is_ok())?;
    let shown = progress.num_shown();
    session.print(&reply, |out| text::ask(out, &reply, shown, extent))?;
    session.note(|err| {
        text::plan(err, &reply.plan)?;
        text::answered_by(err, &reply.answered_by)?;
        text::coverage_of_answer(err, &reply)
    })?;
    Ok(Done::when(!reply.abstained))
}

fn status(session: &Session) -> anyhow::Result<Done> {
    let report = session.target(Access::Read, "pincite status")?.status(&session.workspace)?;
    session.print(&report, |out| text::status(out, &report, session.no_folder()))?;
    Ok(Done::Yes)
}

fn files(session: &Session, args: &FilesArgs) -> anyhow::Result<Done> {
    let list = session.target(Access::Read, "pincite files")?.files(&session.workspace, &args.request())?;
    session.print(&list, |out| text::files(out, &list))?;
    Ok(Done::when(!list.files.is_empty()))
}

fn changes(session: &Session, args: &ChangesArgs) -> anyhow::Result<Done> {
    let reply = session.target(Access::Read, "pincite changes")?.changes(&session.workspace, &args.request())?;
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
    let result = session.target(Access::Read, "pincite verify")?.verify(&citation)?;
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
    if session.json {
        session.print(&extracted, |_| Ok(()))?;
    } else {
        // The text itself, for other programs.
        let mut out = std::io::stdout().lock();
        out.write_all(document.text.as_bytes())?;
        out.flush()?;
    }
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
