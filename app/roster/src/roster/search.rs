//! Searches by conditions on names and birth dates.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::Roster;
use super::Word;
use super::slots::SlotSet;
use crate::fields::Order;
use crate::fields::Page;
use crate::ids::Slot;
use crate::list::ChunkedList;
use crate::list::Position;
use crate::query::DateComparison;
use crate::query::NameElements;
use crate::query::RosterQuery;
use crate::query::StringMatch;
use crate::query::Test;
use crate::terms::NamePart;
use crate::terms::indexed;

/// The cost of testing one patient, in entries of an index that are read in the same time.
const TEST_COST: usize = 32;

/// Maximum number of matches whose positions in an order are looked up one by one.
const FEW_MATCHES: usize = 128;

/// A condition with the ranges of the indexes that contain all its matches.
struct Candidates<'q> {
    filter: Filter<'q>,
    /// The number of entries in these ranges: an upper bound of the matches.
    count: usize,
}

enum Filter<'q> {
    Among(&'q [Uuid]),
    Name {
        elements: NameElements,
        matching: StringMatch,
        values: &'q [Zeroizing<String>],
        ranges: Vec<(NamePart, Position, Position)>,
    },
    Birth {
        comparisons: &'q [DateComparison],
        ranges: Vec<BirthRange>,
    },
}

/// The range of the order by birth date that contains all matches of a comparison, and the range within
/// it in which every patient matches.
struct BirthRange {
    from: Position,
    certain_from: Position,
    certain_to: Position,
    to: Position,
}

impl Roster {
    /// A page of the patients that match a query, in an order.
    ///
    /// The condition with the fewest candidates is read from its index; the others then filter. The
    /// matches are counted by chunk of the order, so that every page costs about the same.
    #[must_use]
    pub fn search(&self, query: &RosterQuery<'_>, order: Order, skip: usize, take: usize) -> Page {
        let conditions = query.conditions.iter();
        let mut filters: Vec<_> = conditions
            .map(|condition| self.candidates(&condition.0))
            .collect();
        filters.extend(query.among.map(|ids| Candidates {
            filter: Filter::Among(ids),
            count: ids.len(),
        }));
        filters.sort_by_key(|candidates| candidates.count);
        let mut filters = filters.into_iter();
        let Some(first) = filters.next() else {
            return self.page(order, skip, take);
        };
        let matches = filters.fold(self.collect(&first), |matches, candidates| {
            self.narrow(matches, &candidates)
        });
        let ranking = self.ranking(order.key);
        let page = if matches.len() <= FEW_MATCHES {
            ranking.page_of_few(order.descending, (skip, take), matches.iter())
        } else {
            let by_chunk = ranking.count_by_chunk(matches.iter());
            ranking.page(order.descending, (skip, take), &by_chunk, |slot| {
                matches.contains(slot)
            })
        };
        Page {
            ids: self.ids(&page),
            total: matches.len(),
        }
    }

    fn candidates<'q>(&self, test: &'q Test) -> Candidates<'q> {
        match test {
            Test::Name {
                elements,
                matching,
                values,
            } => {
                let ranges = self.name_ranges(*elements, *matching, values);
                let counts = ranges.iter();
                Candidates {
                    count: counts
                        .map(|(part, from, to)| self.index(*part).count(*from, *to))
                        .sum(),
                    filter: Filter::Name {
                        elements: *elements,
                        matching: *matching,
                        values,
                        ranges,
                    },
                }
            }
            Test::Birth(comparisons) => {
                let list = self.by_birth.list();
                let ranges: Vec<_> = comparisons.iter().map(|it| self.birth_range(*it)).collect();
                Candidates {
                    count: ranges.iter().map(|it| list.count(it.from, it.to)).sum(),
                    filter: Filter::Birth {
                        comparisons,
                        ranges,
                    },
                }
            }
        }
    }

    fn name_ranges(
        &self,
        elements: NameElements,
        matching: StringMatch,
        values: &[Zeroizing<String>],
    ) -> Vec<(NamePart, Position, Position)> {
        let parts = elements.parts().iter();
        match matching {
            StringMatch::Prefix => parts
                .flat_map(|part| values.iter().map(|value| self.prefix_range(*part, value)))
                .collect(),
            // One pass over the whole index for all values together.
            StringMatch::Contains if values.is_empty() => Vec::new(),
            StringMatch::Contains => parts.map(|part| self.prefix_range(*part, "")).collect(),
        }
    }

    fn prefix_range(&self, part: NamePart, value: &str) -> (NamePart, Position, Position) {
        let (terms, value) = (self.dictionary.terms(), indexed(value.as_bytes()));
        let index = self.index(part);
        let from = index.partition_point(|word| terms.compare_text(word.term, value).is_lt());
        let to = index.partition_point(|word| {
            terms.compare_text(word.term, value).is_lt() || terms.text(word.term).starts_with(value)
        });
        (part, from, to)
    }

    fn birth_range(&self, comparison: DateComparison) -> BirthRange {
        let range = |(first, last): (i32, i32)| {
            let from = self.first_born(first);
            (from, self.first_born(last.saturating_add(1)).max(from))
        };
        let (from, to) = range(comparison.possible_first_days(self.longest_birth));
        let (certain_from, certain_to) = range(comparison.certain_first_days(self.longest_birth));
        BirthRange {
            from,
            certain_from: certain_from.clamp(from, to),
            certain_to: certain_to.clamp(from, to),
            to,
        }
    }

    /// Position of the first birth date that does not begin before a day.
    fn first_born(&self, day: i32) -> Position {
        self.by_birth.list().partition_point(|slot| {
            // Patients without a birth date are first.
            self.patients
                .birth(slot)
                .is_none_or(|birth| birth.first < day)
        })
    }

    fn collect(&self, candidates: &Candidates<'_>) -> SlotSet {
        let (count, slots) = (candidates.count, self.patients.slots());
        match &candidates.filter {
            Filter::Among(ids) => {
                let among = ids.iter().filter_map(|id| self.slot(*id));
                SlotSet::collect(count, slots, among)
            }
            Filter::Name {
                matching,
                values,
                ranges,
                ..
            } => {
                let words = ranges.iter();
                let words = words.flat_map(|(part, from, to)| self.index(*part).range(*from, *to));
                match matching {
                    StringMatch::Prefix => {
                        SlotSet::collect(count, slots, words.map(|word| word.slot))
                    }
                    StringMatch::Contains => {
                        let found = words.filter(self.containing(values)).map(|word| word.slot);
                        SlotSet::collect(count, slots, found)
                    }
                }
            }
            Filter::Birth {
                comparisons,
                ranges,
            } => {
                let list = self.by_birth.list();
                let matching = ranges.iter().flat_map(|range| {
                    let uncertain = list.range(range.from, range.certain_from);
                    let uncertain = uncertain.chain(list.range(range.certain_to, range.to));
                    let matching = uncertain.filter(|slot| self.is_born(*slot, comparisons));
                    matching.chain(list.range(range.certain_from, range.certain_to))
                });
                SlotSet::collect(count, slots, matching)
            }
        }
    }

    /// A test whether a word contains one of the values. It evaluates a run of equal words once.
    fn containing(&self, values: &[Zeroizing<String>]) -> impl FnMut(&Word) -> bool {
        let mut last = None;
        move |word| match last {
            Some((term, is_match)) if term == word.term => is_match,
            _ => {
                let text = self.dictionary.terms().text(word.term);
                let is_match = (values.iter()).any(|it| StringMatch::Contains.matches(text, it));
                last = Some((word.term, is_match));
                is_match
            }
        }
    }

    /// The matches that also fulfil another condition.
    fn narrow(&self, matches: SlotSet, candidates: &Candidates<'_>) -> SlotSet {
        let slots = self.patients.slots();
        let is_cheaper_to_test = candidates.count / TEST_COST > matches.len();
        match &candidates.filter {
            Filter::Name {
                elements,
                matching,
                values,
                ..
            } if is_cheaper_to_test => matches.retain(slots, |slot| {
                self.is_named(slot, *elements, *matching, values)
            }),
            Filter::Birth { comparisons, .. } if is_cheaper_to_test => {
                matches.retain(slots, |slot| self.is_born(slot, comparisons))
            }
            Filter::Among(_) | Filter::Name { .. } | Filter::Birth { .. } => {
                matches.intersect(&self.collect(candidates), slots)
            }
        }
    }

    fn is_named(
        &self,
        slot: Slot,
        elements: NameElements,
        matching: StringMatch,
        values: &[Zeroizing<String>],
    ) -> bool {
        let uses = self.patients.get(slot).map(|patient| &*patient.names.uses);
        uses.unwrap_or_default()
            .iter()
            .filter(|used| elements.parts().contains(&used.part))
            .map(|used| self.dictionary.terms().text(used.term))
            .any(|text| values.iter().any(|value| matching.matches(text, value)))
    }

    fn is_born(&self, slot: Slot, comparisons: &[DateComparison]) -> bool {
        let birth = self.patients.birth(slot);
        birth.is_some_and(|birth| comparisons.iter().any(|it| it.matches(birth)))
    }

    fn index(&self, part: NamePart) -> &ChunkedList<Word> {
        let [family, given, other] = &self.words;
        match part {
            NamePart::Family => family,
            NamePart::Given => given,
            NamePart::Other => other,
        }
    }
}
