//! The routing tree: a node for each segment of a path.

use super::Route;
use super::schema::Schema;

/// A node: the routes below a segment.
#[derive(Debug, Default)]
pub(super) struct Node {
    words: Vec<(Box<str>, Node)>,
    parameters: Vec<(Schema, Node)>,
    route: Option<Route>,
}

/// A segment of a template.
pub(super) enum Segment<'a> {
    /// A literal segment.
    Word(&'a str),
    /// A parameter: any segment that matches its schema.
    Parameter(Schema),
}

impl Node {
    /// Inserts a route; `false` if the path has one already.
    pub(super) fn insert<'a>(
        &mut self,
        mut segments: impl Iterator<Item = Segment<'a>>,
        route: Route,
    ) -> bool {
        match segments.next() {
            None => self.route.replace(route).is_none(),
            Some(Segment::Word(word)) => {
                let known = self
                    .words
                    .iter_mut()
                    .position(|(known, _)| **known == *word);
                let at = known.unwrap_or_else(|| {
                    self.words.push((word.into(), Self::default()));
                    self.words.len() - 1
                });
                let next = self.words.get_mut(at);
                next.is_some_and(|(_, node)| node.insert(segments, route))
            }
            Some(Segment::Parameter(schema)) => {
                let mut node = Self::default();
                let done = node.insert(segments, route);
                self.parameters.push((schema, node));
                done
            }
        }
    }

    /// Finds the route of a path without its first slash. Literal segments take precedence over
    /// parameters.
    pub(super) fn find(&self, path: &str) -> Option<&Route> {
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let mut words = self.words.iter();
        let by_word = words.find(|(word, _)| **word == *segment);
        by_word.and_then(|(_, node)| node.follow(rest)).or_else(|| {
            let mut fitting = self.parameters.iter();
            fitting.find_map(|(schema, node)| {
                let found = node.follow(rest)?;
                schema.accepts(segment).then_some(found)
            })
        })
    }

    /// The template of every route.
    pub(super) fn templates(&self) -> Vec<&'static str> {
        let words = self.words.iter().map(|(_, node)| node);
        let parameters = self.parameters.iter().map(|(_, node)| node);
        let below = words.chain(parameters).flat_map(Self::templates);
        let own = self.route.iter().map(|route| route.template);
        own.chain(below).collect()
    }

    fn follow(&self, rest: Option<&str>) -> Option<&Route> {
        match rest {
            Some(rest) => self.find(rest),
            None => self.route.as_ref(),
        }
    }
}
