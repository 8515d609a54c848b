//! The names of the rules, and what each is about.

/// How much a finding of a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// A rule of `BuildKit`'s. Its findings are counted, and fail the checks.
    Warning,
    /// A rule of our own. Its findings are shown beside the warnings and fail nothing, so that the
    /// warnings for a file are the same here and with `BuildKit`.
    Note,
}

macro_rules! rules {
    (
        warnings { $($warning:ident, $page:literal, $about:literal;)* }
        notes { $($note:ident, $sentence:literal;)* }
    ) => {
        /// A lint rule: one of `BuildKit`'s build checks, under the name that it has there, or one of
        /// our own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $about] $warning,)*
            $(#[doc = $sentence] $note,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Rule] = &[$(Rule::$warning,)* $(Rule::$note,)*];

            /// The name, as in `# check=skip=NAME`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Rule::$warning => stringify!($warning),)*
                    $(Rule::$note => stringify!($note),)*
                }
            }

            /// What the rule is about, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Rule::$warning => $about,)*
                    $(Rule::$note => $sentence,)*
                }
            }

            /// How much a finding counts.
            pub fn level(self) -> Level {
                match self {
                    $(Rule::$warning => Level::Warning,)*
                    $(Rule::$note => Level::Note,)*
                }
            }

            fn page(self) -> &'static str {
                match self {
                    $(Rule::$warning => $page,)*
                    $(Rule::$note => "",)*
                }
            }
        }
    };
}

rules! {
    warnings {
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
        InvalidBaseImagePlatform, "", "The platform of a base image should be the one that is built for";
        RedundantTargetPlatform, "redundant-target-platform", "FROM is for $TARGETPLATFORM without being told";
        SecretsUsedInArgOrEnv, "secrets-used-in-arg-or-env", "Sensitive data should not be in ARG or ENV, which stay in the image";
        InvalidDefaultArgInFrom, "invalid-default-arg-in-from", "The defaults of global ARGs should give valid names of base images";
        FromPlatformFlagConstDisallowed, "from-platform-flag-const-disallowed", "FROM --platform should not be a constant";
        CopyIgnoredFile, "copy-ignored-file", "Files to copy should not be excluded by .dockerignore";
        InvalidDefinitionDescription, "invalid-definition-description", "A comment above an ARG or a stage should be `# NAME DESCRIPTION`";
        ExposeProtoCasing, "expose-proto-casing", "The protocol of EXPOSE should be lowercase";
        ExposeInvalidFormat, "expose-invalid-format", "EXPOSE takes no addresses and no ports of the host";
    }
    notes {
        ArgBustsCache, "An ARG stands above a RUN that does not mention it, which runs again whenever the value changes";
        CrlfScript, "A script has Windows line ends, which its interpreter takes as part of every line";
        ExcludedSource, "A file to copy is excluded by a rule of the ignore file";
        HeredocWithoutErrexit, "The commands of a here-document go on after one of them failed";
        MalformedJsonForm, "Arguments look like a JSON array and are none, so that a shell or a list gets them as text";
        WildcardMatchesNothing, "A wildcard of COPY or ADD matches no file";
    }
}

impl Rule {
    /// The page that explains the rule, where it is one of `BuildKit`'s that has a page.
    pub fn url(self) -> Option<String> {
        let page = self.page();
        (!page.is_empty()).then(|| format!("https://docs.docker.com/go/dockerfile/rule/{page}/"))
    }

    /// Whether the rule applies only where it is asked for (`# check=experimental=NAME`).
    pub fn is_experimental(self) -> bool {
        self == Rule::InvalidDefinitionDescription
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the documentation for the rules of one level.
    fn table(level: Level) -> String {
        let rules = Rule::ALL.iter().filter(|rule| rule.level() == level);
        rules.fold(String::new(), |text, rule| {
            text + &format!("| `{}` | {} |\n", rule.name(), rule.description())
        })
    }

    #[test]
    fn every_rule_is_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
        let documentation = std::fs::read_to_string(path).unwrap();
        for level in [Level::Warning, Level::Note] {
            let table = format!("| rule | |\n|-|-|\n{}\n", table(level));
            assert!(documentation.contains(&table), "{path} lacks this table:\n{table}");
        }
        for note in Rule::ALL.iter().filter(|rule| rule.level() == Level::Note) {
            assert!(documentation.contains(&format!("\n### {}\n", note.name())), "{path}: {}", note.name());
        }
    }

    #[test]
    fn rules_of_buildkit_are_explained_where_it_explains_them() {
        let url = Rule::JSONArgsRecommended.url().unwrap();
        assert_eq!(url, "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
        assert_eq!(Rule::InvalidBaseImagePlatform.url(), None);
        assert_eq!(Rule::CrlfScript.url(), None);
    }
}
