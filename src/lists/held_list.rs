//! A list as a client holds it, and how it follows the server's: the reference for clients.
//!
//! Invariant: what a client holds is replaced only by what has the hash that the server said, and where a key is known
//! was signed with it; until then the old one stays as it was.

use serde::{Deserialize, Serialize};

use crate::base_file::{BaseError, decode, encode};
use crate::json_form::Answer;
use crate::lines::{LineChange, Lines, key_of};
use crate::name::ListName;
use crate::signature::{SignatureError, Signed, SignedText, VerifyingKey, hex, parse_time};
use crate::state::{Epoch, ListSettings, ListState};
use crate::version::Version;

/// How long a client waits after a failure, and at most after many.
const RETRY_SECONDS: u64 = 30;
const MAX_RETRY_SECONDS: u64 = 3_600;
/// What a mirror tells its own clients.
const MIRROR_KEEP_SECONDS: u64 = 7 * 86_400;

/// A list that a client holds; none yet where it has no version.
#[derive(Clone, Debug)]
pub struct HeldList {
    pub name: ListName,
    state: Option<ListState>,
    /// When the version was made, by the server.
    pub time: i64,
    /// Its signature, as it came.
    pub signed: Option<Signed>,
}

/// What came of asking.
#[derive(Debug)]
pub struct Followed {
    /// What the client holds from now on.
    pub held: HeldList,
    pub added: u64,
    pub removed: u64,
    /// Whether the whole list came.
    pub is_full: bool,
    /// After how many seconds to ask again.
    pub wait_seconds: u64,
    /// Why what came first was not used, and the whole list was asked for.
    pub refused: Option<Refusal>,
}

/// Why an answer is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    #[error("the answer is of the list `{0}`")]
    OtherList(String),
    #[error("after the changes, the list does not have the hash that the answer says")]
    Hash,
    #[error("{0}")]
    Signature(#[from] SignatureError),
    #[error("the answer expired at {0}")]
    Expired(String),
    #[error("the answer was made at {0}, before the one that is held")]
    Older(String),
}

/// Why nothing was replaced.
#[derive(Debug, thiserror::Error)]
pub enum FollowError<E> {
    /// The server did not answer.
    #[error("{0}")]
    Ask(E),
    /// Also the whole list was refused.
    #[error("{0}")]
    Refused(Refusal),
}

#[derive(Serialize, Deserialize)]
struct FileHead {
    time: i64,
    expires: Option<i64>,
    signature: Option<String>,
}

/// Asks for what has changed, checks it, and returns what to hold from then on. Where the answer cannot be used, the whole
/// list is asked for, once; where that cannot be used either, nothing is replaced, and [`retry_seconds`] says how long to
/// wait. `ask` is given the version since which changes are wanted, or none for the whole list.
///
/// # Errors
/// Says why nothing was replaced.
pub fn follow<E>(
    held: &HeldList,
    key: Option<&VerifyingKey>,
    now: i64,
    mut ask: impl FnMut(Option<&str>) -> Result<Vec<u8>, E>,
) -> Result<Followed, FollowError<E>> {
    let version = held.version();
    let mut refused = None;
    if let Some(version) = &version {
        match held.updated(&ask(Some(version)).map_err(FollowError::Ask)?, key, now) {
            Ok(followed) => return Ok(followed),
            Err(refusal) => refused = Some(refusal),
        }
    }
    let whole = ask(None).map_err(FollowError::Ask)?;
    match held.updated(&whole, key, now) {
        Ok(followed) => Ok(Followed { refused, ..followed }),
        Err(refusal) => Err(FollowError::Refused(refusal)),
    }
}

/// Returns how long to wait after so many failures, one after another.
pub fn retry_seconds(failures: u32) -> u64 {
    RETRY_SECONDS.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_RETRY_SECONDS)
}

impl HeldList {
    /// Returns that nothing is held of a list.
    pub fn none(name: ListName) -> HeldList {
        HeldList { name, state: None, time: i64::MIN, signed: None }
    }

    /// Returns the version that is held.
    pub fn version(&self) -> Option<String> {
        self.state.as_ref().map(|state| state.version().text(&self.name))
    }

    /// Returns the entries.
    pub fn lines(&self) -> Lines {
        self.state.as_ref().map_or_else(Lines::default, |state| state.lines.clone())
    }

    /// Returns the list with what is known of earlier versions, so that deltas from those that were held lead to it.
    pub fn state(&self) -> Option<&ListState> {
        self.state.as_ref()
    }

    /// Returns what is held after an answer, as the server sends it.
    ///
    /// # Errors
    /// Says why it is not used.
    pub fn updated(&self, json: &[u8], key: Option<&VerifyingKey>, now: i64) -> Result<Followed, Refusal> {
        let answer = Answer::parse(json).map_err(Refusal::Unreadable)?;
        if answer.list != self.name.as_str() {
            return Err(Refusal::OtherList(answer.list));
        }
        if let Some(key) = key {
            self.check_signature(&answer, key, now)?;
        }
        let unreadable = |what: &str| Refusal::Unreadable(what.to_owned());
        let version =
            Version::parse(&answer.version, &self.name).ok_or_else(|| unreadable("it has no version"))?;
        let (state, added, removed) = self
            .applied(&answer, version)
            .ok_or_else(|| unreadable("it has only what changed, and nothing is held"))?;
        let is_right = state.lines.len() == answer.entries && hex(&state.lines.sha256()) == answer.sha256;
        if !is_right {
            return Err(Refusal::Hash);
        }
        let mut state = state;
        state.purge(now);
        let signed =
            answer.expires.zip(answer.signature).map(|(expires, signature)| Signed { expires, signature });
        let held = HeldList { name: self.name.clone(), state: Some(state), time: answer.time, signed };
        let (is_full, wait_seconds) = (answer.is_full, answer.wait_seconds);
        Ok(Followed { held, added, removed, is_full, wait_seconds, refused: None })
    }

    /// Refuses an answer that is not signed, of another list, too old, or older than what is held.
    fn check_signature(&self, answer: &Answer, key: &VerifyingKey, now: i64) -> Result<(), Refusal> {
        let (Some(signature), Some(expires), Some(until)) =
            (&answer.signature, &answer.expires_text, answer.expires)
        else {
            return Err(SignatureError::Missing.into());
        };
        let text = SignedText {
            list: &self.name,
            form: "text",
            version: &answer.version,
            time: &answer.time_text,
            expires,
            entries: answer.entries,
            sha256: &answer.sha256,
        };
        key.verify(&text, signature)?;
        if until < now {
            return Err(Refusal::Expired(expires.clone()));
        }
        if answer.time < self.time {
            return Err(Refusal::Older(answer.time_text.clone()));
        }
        Ok(())
    }

    /// Returns the list after an answer, and how many entries were added and removed.
    fn applied(&self, answer: &Answer, version: Version) -> Option<(ListState, u64, u64)> {
        let mut state = match &self.state {
            // Of another incarnation, earlier versions lead nowhere.
            Some(state) if state.incarnation == version.incarnation => state.clone(),
            Some(state) => self.mirror(answer, version, Some(state)),
            None if answer.is_full => self.mirror(answer, version, None),
            None => return None,
        };
        let lines: Vec<String> = answer.added.iter().map(|line| format!("{line}\n")).collect();
        let before = state.lines.clone();
        let dropped = answer.is_full.then(|| before.iter().map(key_of)).into_iter().flatten();
        let removed = answer.removed.iter().map(String::as_str).chain(dropped);
        let removed = removed.map(|key| LineChange { key, line: None });
        let added = answer.added.iter().zip(&lines);
        let added = added.map(|(line, whole)| LineChange { key: key_of(line), line: Some(whole) });
        let changes: Vec<LineChange<'_>> = removed.chain(added).collect();
        let is_entry = |of: &LineChange<'_>| !of.key.is_empty() && !of.key.chars().any(char::is_control);
        if !changes.iter().all(is_entry) || lines.iter().any(|line| line.matches('\n').count() > 1) {
            return None;
        }
        let (added, removed) = state.follow(changes, version, answer.time);
        Some((state, added, removed))
    }

    /// Returns a list of the server's incarnation without earlier versions, with the entries that are held.
    fn mirror(&self, answer: &Answer, version: Version, held: Option<&ListState>) -> ListState {
        let settings = ListSettings {
            kind: answer.kind,
            publish_every_ms: 0,
            keep_seconds: MIRROR_KEEP_SECONDS,
            poll_seconds: answer.wait_seconds,
        };
        let mut state =
            ListState::created(self.name.clone(), settings, version.incarnation, version.epoch, answer.time);
        state.epochs = Vec::<Epoch>::new();
        state.lines = held.map_or_else(Lines::default, |held| held.lines.clone());
        state
    }

    /// Returns what is held as a file, its hash with it.
    pub fn file(&self) -> Option<Vec<u8>> {
        let state = self.state.as_ref()?;
        let head = FileHead {
            time: self.time,
            expires: self.signed.as_ref().map(|signed| signed.expires),
            signature: self.signed.as_ref().map(|signed| signed.signature.clone()),
        };
        let mut file = serde_json::to_vec(&head).expect("texts and numbers are JSON");
        file.push(b'\n');
        file.extend_from_slice(&encode(state));
        Some(file)
    }

    /// Reads a file of a list; none where it is damaged.
    pub fn of_file(file: &[u8], name: &ListName) -> Option<HeldList> {
        let end = memchr::memchr(b'\n', file)?;
        let head: FileHead = serde_json::from_slice(&file[..end]).ok()?;
        let state = decode(&file[end + 1..], name).map_err(|_: BaseError| ()).ok()?;
        let signed =
            head.expires.zip(head.signature).map(|(expires, signature)| Signed { expires, signature });
        Some(HeldList { name: name.clone(), state: Some(state), time: head.time, signed })
    }

    /// Returns what is held as a text of lines, and what goes into a file beside it.
    pub fn text_and_version(&self) -> Option<(Vec<u8>, String)> {
        let state = self.state.as_ref()?;
        let beside = TextVersion {
            version: self.version()?,
            kind: state.settings.kind,
            time: crate::signature::time_text(self.time),
            sha256: hex(&state.lines.sha256()),
        };
        let json = serde_json::to_string(&beside).expect("texts are JSON");
        Some((state.lines.text(), format!("{json}\n")))
    }

    /// Reads a text of lines and what is in the file beside it; where they do not belong together, nothing is held.
    pub fn of_text(name: ListName, text: &[u8], beside: &[u8]) -> HeldList {
        let known = serde_json::from_slice::<TextVersion>(beside).ok();
        let held = known.and_then(|known| HeldList::of_text_version(&name, text, &known));
        held.unwrap_or_else(|| HeldList::none(name))
    }

    fn of_text_version(name: &ListName, text: &[u8], known: &TextVersion) -> Option<HeldList> {
        let version = Version::parse(&known.version, name)?;
        let time = parse_time(&known.time)?;
        let settings = ListSettings {
            kind: known.kind,
            publish_every_ms: 0,
            keep_seconds: MIRROR_KEEP_SECONDS,
            poll_seconds: 0,
        };
        let mut state = ListState::created(name.clone(), settings, version.incarnation, version.epoch, time);
        state.epochs = Vec::new();
        let whole: Vec<&str> = str::from_utf8(text).ok()?.split_inclusive('\n').collect();
        let line = |line: &&'_ str| key_of(line.strip_suffix('\n').unwrap_or(line)).len();
        let changes =
            whole.iter().map(|text| LineChange { key: &text[..line(text)], line: Some(text) }).collect();
        state.follow(changes, version, time);
        let is_same = hex(&state.lines.sha256()) == known.sha256;
        is_same.then_some(HeldList { name: name.clone(), state: Some(state), time, signed: None })
    }
}

/// What is in the file beside a text.
#[derive(Serialize, Deserialize)]
struct TextVersion {
    version: String,
    kind: crate::kind::ListKind,
    time: String,
    sha256: String,
}
