//! The names of the rules, and what each is about.

macro_rules! rules {
    ($($name:ident, $page:literal, $description:literal;)*) => {
        /// A lint rule. Its name is the one of `BuildKit`'s build checks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule { $(#[doc = $description] $name,)* }

        impl Rule {
            /// All rules.
            pub const ALL: &[Rule] = &[$(Rule::$name,)*];

            /// The name, as in `# check=skip=NAME`.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$name => stringify!($name),)* }
            }

            /// What the rule is about, in a sentence.
            pub fn description(self) -> &'static str {
                match self { $(Rule::$name => $description,)* }
            }

            fn page(self) -> &'static str {
                match self { $(Rule::$name => $page,)* }
            }
        }
    };
}

rules! {
    StageNameCasing, "stage-name-casing", "Stage names should be lowercase";
    FromAsCasing, "from-as-casing", "The 'as' keyword should match the case of the 'from' keyword";
    NoEmptyContinuation, "no-empty-continuation", "Empty continuation lines will become errors in a future release";
    ConsistentInstructionCasing, "consistent-instruction-casing", "All instructions of a Dockerfile should use the same casing";
    DuplicateStageName, "duplicate-stage-name", "Stage names should be unique";
    ReservedStageName, "reserved-stage-name", "Reserved words should not be used as stage names";
    JSONArgsRecommended, "json-args-recommended", "JSON arguments are recommended for ENTRYPOINT and CMD, so that the process gets signals";
    MaintainerDeprecated, "maintainer-deprecated", "MAINTAINER is deprecated; a label names the author";
    UndefinedArgInFrom, "undefined-arg-in-from", "FROM should use declared ARGs only";
    WorkdirRelativePath, "workdir-relative-path", "A relative WORKDIR depends on the base image unless an absolute one comes first";
    UndefinedVar, "undefined-var", "Variables should be defined before their use";
    MultipleInstructionsDisallowed, "multiple-instructions-disallowed", "Of several instructions of these types in a stage only the last one counts";
    LegacyKeyValueFormat, "legacy-key-value-format", "Key and value should be joined by an equals sign";
    InvalidBaseImagePlatform, "invalid-base-image-platform", "The platform of a base image should be the one that is built for";
    RedundantTargetPlatform, "redundant-target-platform", "FROM is for $TARGETPLATFORM without being told";
    SecretsUsedInArgOrEnv, "secrets-used-in-arg-or-env", "Sensitive data should not be in ARG or ENV, which stay in the image";
    InvalidDefaultArgInFrom, "invalid-default-arg-in-from", "The defaults of global ARGs should give valid names of base images";
    FromPlatformFlagConstDisallowed, "from-platform-flag-const-disallowed", "FROM --platform should not be a constant";
    CopyIgnoredFile, "copy-ignored-file", "Files to copy should not be excluded by .dockerignore";
    InvalidDefinitionDescription, "invalid-definition-description", "A comment above an ARG or a stage should be `# NAME DESCRIPTION`";
    ExposeProtoCasing, "expose-proto-casing", "The protocol of EXPOSE should be lowercase";
    ExposeInvalidFormat, "expose-invalid-format", "EXPOSE takes no addresses and no ports of the host";
}

impl Rule {
    /// The page that explains the rule. It is `BuildKit`'s, since the rule is too.
    pub fn url(self) -> String {
        format!("https://docs.docker.com/go/dockerfile/rule/{}/", self.page())
    }

    /// Whether the rule applies only where it is asked for (`# check=experimental=NAME`).
    pub fn is_experimental(self) -> bool {
        self == Rule::InvalidDefinitionDescription
    }
}
