//! Images and contexts that stages are based on or copy from: from a name to a vertex.
//!
//! A named context takes the place of the image of its name. What the pins do not know yet is asked
//! for.

use std::collections::BTreeSet;

use graph::name::{HttpName, ImageLocation, ImageName, ImagePin, redacted};
use graph::source::{ContextName, HttpSource, ImageSource};
use graph::{Name, Op, Source, VertexId};
use image::{Platform, Reference};
use parser::ast::{Add, CopySource, Instruction};

use crate::context::NamedContext;
use crate::lower::add;
use crate::plan::Planner;
use crate::remote::{GitReference, url_file_name};
use crate::scope;
use crate::stages::{Base, Origin, Replacement, StageId, StageTable};
use crate::steps::{Position, Step};

/// Something outside of the Dockerfile, as a vertex.
#[derive(Debug)]
pub(crate) struct External<'a> {
    /// The tree.
    pub(crate) tree: VertexId,
    /// The image that it is of, if it is one.
    pub(crate) image: Option<(ImageName, &'a ImagePin)>,
    /// The name for people: with its digest for an image.
    pub(crate) label: String,
    /// Whether a named context is used, by which key.
    pub(crate) context: Option<String>,
}

/// Asks for all names that the needed stages are known to use; true if there are any.
pub(crate) fn missing(planner: &mut Planner<'_>, table: &StageTable<'_>, needed: &BTreeSet<StageId>) -> bool {
    let mut is_missing = false;
    for id in needed {
        let stage = table.stage(*id);
        if let Base::Image { reference, .. } | Base::Replaced(Replacement::Context(reference)) = &stage.base {
            is_missing |= find(planner, reference, &stage.platform).is_none();
        }
        if stage.is_replaced() {
            continue;
        }
        for command in &stage.commands {
            for origin in command.origins.iter().flatten() {
                if let Origin::Image(reference) = origin {
                    is_missing |= find(planner, reference, &table.target_platform).is_none();
                }
            }
            if let Instruction::Add(add) = &command.instruction.node {
                need_constant_sources(planner, add);
            }
        }
    }
    is_missing
}

/// Asks for the URLs and repositories of an ADD that do not depend on variables. Mistakes are found
/// again, and reported, when the instruction is lowered.
fn need_constant_sources(planner: &mut Planner<'_>, instruction: &Add) {
    let checksum = instruction.checksum.as_ref().map(scope::constant);
    let Some(checksum) = checksum.map_or(Some(None), |checksum| checksum.map(Some)) else { return };
    for source in &instruction.sources {
        let CopySource::Path(word) = source else { continue };
        let Some(text) = scope::constant(word) else { continue };
        match add::remote(&text, instruction.keep_git_dir, checksum.as_deref()) {
            Ok(Some(add::Remote::Http(name))) => _ = http(planner, &name, url_file_name(&name.url)),
            Ok(Some(add::Remote::Git(git))) => _ = self::git(planner, &git),
            Ok(None) | Err(_) => {}
        }
    }
}

/// The tree of an image, or of the named context in its place. `None` if a pin is missing, which is
/// asked for.
pub(crate) fn find<'a>(
    planner: &mut Planner<'a>,
    reference: &Reference,
    platform: &Platform,
) -> Option<External<'a>> {
    let options = planner.options;
    let Some((key, context)) = options.contexts.of_image(reference, platform) else {
        let location = ImageLocation::Reference(reference.clone());
        return image(planner, location, platform);
    };
    let mut found = in_context(planner, key, context, platform)?;
    found.context = Some(key.to_owned());
    Some(found)
}

fn in_context<'a>(
    planner: &mut Planner<'a>,
    key: &str,
    context: &NamedContext,
    platform: &Platform,
) -> Option<External<'a>> {
    let tree = |tree, label: String| External { tree, image: None, label, context: None };
    match context {
        NamedContext::Directory => {
            let source = Source::Local(ContextName::named(key));
            let vertex = planner.graph.add(Op::Source(source), Vec::new());
            Some(tree(vertex, "load from client".to_owned()))
        }
        // Whoever looks up a name has asked the stages first.
        NamedContext::Scratch | NamedContext::Stage(_) => Some(tree(scratch(planner), "scratch".to_owned())),
        NamedContext::Image(reference) => {
            image(planner, ImageLocation::Reference(reference.clone().with_default_tag()), platform)
        }
        NamedContext::OciLayout(path) => image(planner, ImageLocation::OciLayout(path.clone()), platform),
        NamedContext::Git(reference) => {
            let vertex = git(planner, reference)?;
            Some(tree(vertex, redacted(&reference.remote).into_owned()))
        }
        NamedContext::Http(url) => {
            let name = HttpName { url: url.clone(), checksum: None };
            Some(tree(http(planner, &name, Some("context".to_owned()))?.0, redacted(url).into_owned()))
        }
    }
}

fn image<'a>(
    planner: &mut Planner<'a>,
    location: ImageLocation,
    platform: &Platform,
) -> Option<External<'a>> {
    let name = ImageName { location, platform: platform.clone() };
    let pins = planner.pins;
    let Some(pin) = pins.image(&name) else {
        planner.need(Name::Image(name));
        return None;
    };
    let tree = match pin.chain() {
        Some(chain) => planner.graph.add(Op::Source(Source::Image(ImageSource { chain })), Vec::new()),
        None => scratch(planner),
    };
    let label = match (&name.location, pin.resolved) {
        (ImageLocation::Reference(reference), Some(digest)) if reference.digest().is_none() => {
            format!("{reference}@{digest}")
        }
        (ImageLocation::Reference(reference), _) => reference.to_string(),
        (ImageLocation::OciLayout(path), _) => format!("oci-layout://{path}"),
    };
    Some(External { tree, image: Some((name, pin)), label, context: None })
}

/// The empty tree.
pub(crate) fn scratch(planner: &mut Planner<'_>) -> VertexId {
    planner.graph.add(Op::Source(Source::Scratch), Vec::new())
}

/// A downloaded file, alone in a tree, and its name there: the given one, or else that of its pin.
pub(crate) fn http(
    planner: &mut Planner<'_>,
    name: &HttpName,
    given: Option<String>,
) -> Option<(VertexId, String)> {
    let Some(pin) = planner.pins.http(name) else {
        planner.need(Name::Http(name.clone()));
        return None;
    };
    let file_name = given.or_else(|| pin.file_name.clone()).unwrap_or_else(|| "__unnamed__".to_owned());
    let source =
        HttpSource { content: pin.content, file_name: file_name.clone(), last_modified: pin.last_modified };
    Some((planner.graph.add(Op::Source(Source::Http(source)), Vec::new()), file_name))
}

/// A checkout of a repository.
pub(crate) fn git(planner: &mut Planner<'_>, git: &GitReference) -> Option<VertexId> {
    let name = git.name();
    let Some(pin) = planner.pins.git(&name) else {
        planner.need(Name::Git(name));
        return None;
    };
    let source = git.source(pin.commit.clone());
    Some(planner.graph.add(Op::Source(Source::Git(source)), Vec::new()))
}

/// The step of something that no instruction alone asks for.
pub(crate) fn step_outside_of_stages(label: String, platform: &Platform) -> Step {
    let position = Position { stage: String::new(), ordinal: 0, platform: platform.clone() };
    Step { label, span: None, position, shell: Vec::new() }
}
