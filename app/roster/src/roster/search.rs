//! Searches by conditions.

use std::cmp::Ordering;

use fhir::InstantSpan;
use fhir::PatientFlags;
use fhir::search::InstantQuery;
use uuid::Uuid;

use super::Roster;
use super::Word;
use super::slots::SlotSet;
use crate::fields::Order;
use crate::ids::Slot;
use crate::list::ChunkedList;
use crate::list::Position;
use crate::page::Page;
use crate::page::Start;
use crate::query::DateComparison;
use crate::query::RosterQuery;
use crate::query::TermMatch;
use crate::query::TermTest;
use crate::query::TermsTest;
use crate::query::Test;
use crate::terms::Part;

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
    Terms {
        test: &'q TermsTest,
        ranges: Vec<TermRange<'q>>,
    },
    Birth {
        comparisons: &'q [DateComparison],
        ranges: Vec<BirthRange>,
    },
    Updated {
        queries: &'q [InstantQuery],
        ranges: Vec<(Position, Position)>,
    },
    /// Tests that no index answers.
    Flags(PatientFlags, bool),
    Death(&'q [InstantQuery]),
}

/// A range of the terms of a part that contains a term of each patient that matches some values.
struct TermRange<'q> {
    part: Part,
    /// The parts in which the other tests of a value may be met.
    all_parts: &'static [Part],
    from: Position,
    to: Position,
    /// The values: one if its range is read, all others if all terms are read.
    values: Vec<TermValue<'q>>,
}

/// An alternative value, and the test of it by which its candidates are found.
#[derive(Clone, Copy)]
struct TermValue<'q> {
    tests: &'q [TermTest],
    lead: &'q TermTest,
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
    pub fn search(
        &self,
        query: &RosterQuery<'_>,
        order: Order,
        start: Start<'_>,
        take: usize,
    ) -> Page {
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
            return self.page(order, start, take);
        };
        let Some(start) = self.list_start(order, start) else {
            return Page::default();
        };
        let matches = filters.fold(self.collect(&first), |matches, candidates| {
            self.narrow(matches, &candidates)
        });
        let ranking = self.ranking(order.key);
        let range = (start, take.saturating_add(1));
        let slots = if matches.len() <= FEW_MATCHES {
            ranking.page_of_few(order.descending, range, matches.iter())
        } else {
            let by_chunk = ranking.count_by_chunk(matches.iter());
            ranking.page(order.descending, range, &by_chunk, |slot| {
                matches.contains(slot)
            })
        };
        self.page_of(order, slots, take, matches.len())
    }

    fn candidates<'q>(&self, test: &'q Test) -> Candidates<'q> {
        match test {
            Test::Terms(test) => {
                let ranges = self.term_ranges(test);
                let counts = ranges.iter();
                let count = counts
                    .map(|it| self.index(it.part).count(it.from, it.to))
                    .sum();
                Candidates {
                    count: if test.negated { self.len() } else { count },
                    filter: Filter::Terms { test, ranges },
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
            Test::Updated(queries) => {
                let list = self.by_updated.list();
                let ranges = queries.iter().flat_map(|query| query.instants());
                let ranges = ranges.flatten().map(|range| self.updated_range(range));
                let ranges: Vec<_> = ranges.collect();
                Candidates {
                    count: ranges.iter().map(|(from, to)| list.count(*from, *to)).sum(),
                    filter: Filter::Updated { queries, ranges },
                }
            }
            Test::Flags { any_of, negated } => Candidates {
                count: self.len(),
                filter: Filter::Flags(**any_of, *negated),
            },
            Test::Death(queries) => Candidates {
                count: self.len(),
                filter: Filter::Death(queries),
            },
            Test::Ids(ids) => Candidates {
                count: ids.len(),
                filter: Filter::Among(ids),
            },
        }
    }

    /// The ranges that contain a term of each patient that matches, negation aside.
    fn term_ranges<'q>(&self, test: &'q TermsTest) -> Vec<TermRange<'q>> {
        let mut ranges = Vec::new();
        let mut of_all_terms = Vec::new();
        for tests in &test.values {
            let count = |it: &TermTest| -> usize {
                let counts = test.parts.iter().map(|part| {
                    let (from, to) = self.term_range(*part, it);
                    self.index(*part).count(from, to)
                });
                counts.sum()
            };
            let lead = match tests.as_slice() {
                [only] => Some(only),
                several => several.iter().min_by_key(|it| count(it)),
            };
            let Some(lead) = lead else { continue };
            let value = TermValue { tests, lead };
            if lead.matching.reads_all() {
                of_all_terms.push(value);
                continue;
            }
            ranges.extend(test.parts.iter().map(|part| {
                let (from, to) = self.term_range(*part, lead);
                let (part, values) = (*part, vec![value]);
                TermRange {
                    part,
                    all_parts: test.parts,
                    from,
                    to,
                    values,
                }
            }));
        }
        // One pass over all terms for all such values together.
        if let Some(value) = of_all_terms.first() {
            ranges.extend(test.parts.iter().map(|part| {
                let (from, to) = self.term_range(*part, value.lead);
                let (part, values) = (*part, of_all_terms.clone());
                TermRange {
                    part,
                    all_parts: test.parts,
                    from,
                    to,
                    values,
                }
            }));
        }
        ranges
    }

    /// The range of the terms of a part that may match.
    fn term_range(&self, part: Part, sought: &TermTest) -> (Position, Position) {
        let (terms, text) = (self.dictionary.terms(), sought.text.as_slice());
        let index = self.index(part);
        let from = index.partition_point(|word| terms.compare_text(word.term, text).is_lt());
        let is_before_end = |word: Word| match sought.matching {
            TermMatch::Exact => terms.compare_text(word.term, text) != Ordering::Greater,
            TermMatch::Prefix => {
                let is_before = terms.compare_text(word.term, text).is_lt();
                is_before || terms.text(word.term).starts_with(text)
            }
            TermMatch::Contains | TermMatch::Suffix => true,
        };
        let start = Position {
            chunk: 0,
            offset: 0,
        };
        let from = if sought.matching.reads_all() {
            start
        } else {
            from
        };
        (from, index.partition_point(is_before_end))
    }

    fn updated_range(&self, (begin, end): (i64, i64)) -> (Position, Position) {
        let list = self.by_updated.list();
        let updated = |slot| self.patients.get(slot).map_or(0, |it| it.updated);
        let from = list.partition_point(|slot| updated(slot) < begin);
        let to = list.partition_point(|slot| updated(slot) <= end);
        (from, to.max(from))
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
            Filter::Terms { test, ranges } if test.negated => {
                let named = ranges.iter().flat_map(|range| self.term_matches(range));
                // Each slot is at most once among those in use, whatever the number of terms.
                let named = SlotSet::collect(usize::MAX, slots, named);
                let others = self.patients.in_use().map(|(slot, _)| slot);
                SlotSet::collect(count, slots, others.filter(|slot| !named.contains(*slot)))
            }
            Filter::Terms { ranges, .. } => {
                let matching = ranges.iter().flat_map(|range| self.term_matches(range));
                SlotSet::collect(count, slots, matching)
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
            Filter::Updated { ranges, .. } => {
                let list = self.by_updated.list();
                let matching = ranges.iter().flat_map(|(from, to)| list.range(*from, *to));
                SlotSet::collect(count, slots, matching)
            }
            filter @ (Filter::Flags(..) | Filter::Death(_)) => {
                let in_use = self.patients.in_use().map(|(slot, _)| slot);
                SlotSet::collect(
                    count,
                    slots,
                    in_use.filter(|slot| self.passes(*slot, filter)),
                )
            }
        }
    }

    /// The patients with a term of a range, as far as they match a value of it.
    fn term_matches<'r>(&'r self, range: &'r TermRange<'_>) -> impl Iterator<Item = Slot> + 'r {
        let mut last = None;
        let mut led: Vec<TermValue<'_>> = Vec::new();
        let words = self.index(range.part).range(range.from, range.to);
        words.filter_map(move |word| {
            // A run of equal terms is evaluated once.
            if last != Some(word.term) {
                last = Some(word.term);
                let text = self.dictionary.terms().text(word.term);
                led.clear();
                led.extend(
                    range.values.iter().filter(|value| {
                        !value.lead.matching.reads_all() || value.lead.matches(text)
                    }),
                );
            }
            let is_match = |value: &TermValue<'_>| {
                value.tests.len() == 1 || self.has_terms(word.slot, range.all_parts, value.tests)
            };
            led.iter().any(is_match).then_some(word.slot)
        })
    }

    /// The matches that also fulfil another condition.
    fn narrow(&self, matches: SlotSet, candidates: &Candidates<'_>) -> SlotSet {
        let slots = self.patients.slots();
        let is_cheaper_to_test = candidates.count / TEST_COST > matches.len();
        match &candidates.filter {
            filter @ (Filter::Flags(..) | Filter::Death(_)) => {
                matches.retain(slots, |slot| self.passes(slot, filter))
            }
            filter @ (Filter::Terms { .. } | Filter::Birth { .. } | Filter::Updated { .. })
                if is_cheaper_to_test =>
            {
                matches.retain(slots, |slot| self.passes(slot, filter))
            }
            Filter::Among(_)
            | Filter::Terms { .. }
            | Filter::Birth { .. }
            | Filter::Updated { .. } => matches.intersect(&self.collect(candidates), slots),
        }
    }

    /// Whether a patient fulfils a condition, tested without an index.
    fn passes(&self, slot: Slot, filter: &Filter<'_>) -> bool {
        let Some(patient) = self.patients.get(slot) else {
            return false;
        };
        match filter {
            Filter::Among(ids) => ids.contains(&patient.id),
            Filter::Terms { test, .. } => {
                let mut values = test.values.iter();
                values.any(|tests| self.has_terms(slot, test.parts, tests)) != test.negated
            }
            Filter::Birth { comparisons, .. } => self.is_born(slot, comparisons),
            Filter::Updated { queries, .. } => {
                let updated = InstantSpan::at(patient.updated);
                queries.iter().any(|query| query.matches(updated))
            }
            Filter::Flags(any_of, negated) => patient.flags().intersects(*any_of) != *negated,
            Filter::Death(queries) => patient
                .death()
                .is_some_and(|death| queries.iter().any(|query| query.matches(death))),
        }
    }

    /// Whether a patient has a term for each of the tests.
    fn has_terms(&self, slot: Slot, parts: &[Part], tests: &[TermTest]) -> bool {
        let uses = self.patients.get(slot).map(|patient| &*patient.names.uses);
        let uses = uses.unwrap_or_default();
        !tests.is_empty()
            && tests.iter().all(|test| {
                let of_parts = uses
                    .iter()
                    .filter(|used| parts.iter().any(|it| used.is_of(*it)));
                let mut terms = of_parts.map(|used| self.dictionary.terms().text(used.term()));
                terms.any(|term| test.matches(term))
            })
    }

    fn is_born(&self, slot: Slot, comparisons: &[DateComparison]) -> bool {
        let birth = self.patients.birth(slot);
        birth.is_some_and(|birth| comparisons.iter().any(|it| it.matches(birth)))
    }

    fn index(&self, part: Part) -> &ChunkedList<Word> {
        const NO_WORDS: &ChunkedList<Word> = &ChunkedList::new();
        let number = crate::ids::index(part.number());
        self.words.get(number).unwrap_or(NO_WORDS)
    }
}
