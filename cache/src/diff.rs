//! How a miss is explained: the structured difference between two pre-images.
//!
//! The nearest earlier record is the one with the fewest differences, counted as fields of the
//! operation plus inputs; among equals, the one that was seen last. Only its lists of files are
//! read and compared.

use std::collections::BTreeMap;

use graph::exec::{Exec, MountKind};
use graph::vertex::InputIndex;
use graph::{Op, Source};
use image::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::FileEntry;
use crate::miss::{Change, FileChange, FileDifference, OperationChange};
use crate::{CacheKey, InputKey, KeyImage};

/// How many files a change names.
const FILES: usize = 8;

/// The stored form of an [`InputKey`]: the list of files is kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoredInput {
    Key(CacheKey),
    Content(Digest),
}

impl From<&InputKey> for StoredInput {
    fn from(input: &InputKey) -> Self {
        match input {
            InputKey::Key(key) => Self::Key(*key),
            InputKey::Content(content) => Self::Content(content.digest),
        }
    }
}

/// The stored pre-image of an earlier record.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    /// The encoding of the operation.
    pub(crate) op: String,
    pub(crate) inputs: Vec<StoredInput>,
}

/// An earlier record and what its operation does differently.
pub(crate) struct Nearest<'a> {
    earlier: &'a Earlier,
    operation: Vec<OperationChange>,
}

/// The one with the fewest differences, the first among equals. One without any is not counted: it
/// does not explain why there was no hit.
pub(crate) fn nearest<'a>(candidates: &'a [Earlier], image: &KeyImage) -> Option<Nearest<'a>> {
    let encoded = image.op.encode();
    let mut best: Option<(usize, Nearest<'a>)> = None;
    for earlier in candidates {
        let is_same = earlier.op.as_bytes() == encoded;
        let operation = if is_same { Vec::new() } else { operations(&earlier.op, &image.op) };
        let distance = operation.len() + changed_inputs(earlier, image).count();
        let nearer = best.as_ref().is_none_or(|(least, _)| distance < *least);
        if distance > 0 && nearer {
            best = Some((distance, Nearest { earlier, operation }));
        }
    }
    best.map(|(_, nearest)| nearest)
}

/// The differences, with the files of changed contents. `files` gives the stored list of a content.
pub(crate) fn explain<E>(
    nearest: &Nearest<'_>,
    image: &KeyImage,
    files: impl Fn(Digest) -> Result<Option<Vec<FileEntry>>, E>,
) -> Result<Vec<Change>, E> {
    let mut changes: Vec<Change> = nearest.operation.iter().cloned().map(Change::Operation).collect();
    let mut inputs = Vec::new();
    for index in changed_inputs(nearest.earlier, image) {
        match (nearest.earlier.inputs.get(index), image.inputs.get(index)) {
            (Some(StoredInput::Content(before)), Some(InputKey::Content(after))) => {
                let differing =
                    files(*before)?.map(|before| file_changes(&before, &after.files)).unwrap_or_default();
                let total = differing.len();
                let files = differing.into_iter().take(FILES).collect();
                changes.push(Change::Content { input: InputIndex(index), files, total });
            }
            _ => inputs.push(Change::Input(InputIndex(index))),
        }
    }
    changes.extend(inputs);
    Ok(changes)
}

/// The positions at which the inputs differ.
fn changed_inputs(earlier: &Earlier, image: &KeyImage) -> impl Iterator<Item = usize> {
    let now: Vec<StoredInput> = image.inputs.iter().map(StoredInput::from).collect();
    let before = earlier.inputs.clone();
    (0..before.len().max(now.len())).filter(move |&index| before.get(index) != now.get(index))
}

fn operations(before: &str, now: &Op) -> Vec<OperationChange> {
    let Ok((_, earlier)) = serde_json::from_str::<(u32, Op)>(before) else {
        return vec![OperationChange::Kind];
    };
    match (&earlier, now) {
        (Op::Exec(before), Op::Exec(after)) => execs(before, after),
        (Op::Source(Source::Image(before)), Op::Source(Source::Image(after))) => {
            vec![OperationChange::Image { before: before.chain, after: after.chain }]
        }
        _ if std::mem::discriminant(&earlier) != std::mem::discriminant(now) => vec![OperationChange::Kind],
        _ => fields("", &earlier, now),
    }
}

fn execs(before: &Exec, after: &Exec) -> Vec<OperationChange> {
    let mut changes = Vec::new();
    if before.args != after.args {
        changes.push(OperationChange::Arguments { before: before.args.clone(), after: after.args.clone() });
    }
    changes.extend(variables(before, after));
    // Everything else field by field, with what was compared already made equal.
    let mut rest = before.clone();
    rest.args.clone_from(&after.args);
    let said = changes.iter().any(|change| matches!(change, OperationChange::Variable { .. }));
    if said {
        rest.env.clone_from(&after.env);
    }
    changes.extend(fields("exec", &rest, after));
    changes
}

fn variables(before: &Exec, after: &Exec) -> Vec<OperationChange> {
    let (earlier, now) = (before.env.iter().cloned(), after.env.iter().cloned());
    side_by_side(earlier, now)
        .into_iter()
        .filter(|(_, (before, now))| before != now)
        .map(|(name, (before, now))| OperationChange::Variable {
            mentioned: mentions(after, &name),
            name,
            before,
            after: now,
        })
        .collect()
}

/// The values of two collections, by key; of equal keys in one the last counts.
fn side_by_side<K: Ord, V>(
    before: impl IntoIterator<Item = (K, V)>,
    after: impl IntoIterator<Item = (K, V)>,
) -> BTreeMap<K, (Option<V>, Option<V>)> {
    let mut both: BTreeMap<K, (Option<V>, Option<V>)> = BTreeMap::new();
    for (key, value) in before {
        both.entry(key).or_default().0 = Some(value);
    }
    for (key, value) in after {
        both.entry(key).or_default().1 = Some(value);
    }
    both
}

/// Whether the command, or a script that it runs, has the name in it as a word.
fn mentions(exec: &Exec, name: &str) -> bool {
    let scripts = exec.mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Script { content } => Some(content),
        _ => None,
    });
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    exec.args.iter().chain(scripts).any(|text| text.split(|c| !is_name(c)).any(|word| word == name))
}

/// The leaves of the two encodings that differ, by their path below `name`.
fn fields<T: Serialize>(name: &str, before: &T, after: &T) -> Vec<OperationChange> {
    let mut changes = Vec::new();
    if let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after)) {
        compare(name.to_owned(), &before, &after, &mut changes);
    }
    changes
}

/// Recursion is as deep as operations are nested, which their types bound.
fn compare(name: String, before: &Value, after: &Value, changes: &mut Vec<OperationChange>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(earlier), Value::Object(now)) => {
            for (key, (before, after)) in side_by_side(earlier, now) {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                compare(name, before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null), changes);
            }
        }
        (Value::Array(earlier), Value::Array(now)) if earlier.len() == now.len() => {
            for (index, (before, after)) in earlier.iter().zip(now).enumerate() {
                compare(format!("{name}[{index}]"), before, after, changes);
            }
        }
        _ => {
            let text = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
            changes.push(OperationChange::Field { name, before: text(before), after: text(after) });
        }
    }
}

/// The files that differ, by path.
fn file_changes(before: &[FileEntry], after: &[FileEntry]) -> Vec<FileChange> {
    side_by_side(before.iter().map(by_path), after.iter().map(by_path))
        .into_iter()
        .filter_map(|(path, files)| {
            let how = match files {
                (None, _) => Some(FileDifference::Added),
                (_, None) => Some(FileDifference::Removed),
                (Some(before), Some(after)) => difference(before, after),
            };
            how.map(|how| FileChange { path: path.to_owned(), how })
        })
        .collect()
}

fn by_path(file: &FileEntry) -> (&str, &FileEntry) {
    (&file.path, file)
}

fn difference(before: &FileEntry, after: &FileEntry) -> Option<FileDifference> {
    if before.kind != after.kind {
        return Some(FileDifference::Kind);
    }
    if before.digest != after.digest {
        return Some(FileDifference::Content);
    }
    if let (Some(before), Some(after)) = (before.mode, after.mode)
        && before != after
    {
        return Some(FileDifference::Mode { before, after });
    }
    if let (Some(before), Some(after)) = (before.owner, after.owner)
        && before != after
    {
        return Some(FileDifference::Owner { before, after });
    }
    None
}
