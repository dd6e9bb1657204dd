//! Comparison of an owner's heads of one type with those that a search compared.

use std::collections::BTreeSet;
use std::collections::HashSet;

use db::Transaction;
use fhir::search::Match;
use phi::HeadSet;
use phi::Tampering;
use uuid::Uuid;

use super::ApplyError;
use super::Records;
use super::candidates::CANDIDATE_BYTES;
use super::candidates::Candidate;
use super::candidates::SearchScope;
use super::candidates::Verdict;
use super::conditions::Evidence;
use super::conditions::HeadBasis;
use super::conditions::SeenHeads;
use super::write_error::WriteError;
use crate::limits::HEADS_PER_STATEMENT;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;

/// The heads of one type, in comparison with those that a search compared.
pub(super) struct ComparedHeads {
    /// The ids of those that are the same.
    unchanged: HashSet<Uuid>,
    /// The others, without those of deleted resources.
    changed: Vec<Candidate>,
}

impl Records {
    /// Compares the heads of a type with those that a search compared.
    pub(super) async fn compare_heads(
        &self,
        transaction: &mut Transaction,
        scope: SearchScope<'_>,
        open: &OpenOwner,
        seen: &SeenHeads,
    ) -> Result<ComparedHeads, WriteError> {
        let (reader, kind) = (scope.reader, scope.resource_type.name());
        let organization = reader.organization;
        let (mut set, mut after) = (HeadSet::default(), None);
        let mut reserved = self
            .memory
            .reserve(reader.caller, 0)
            .map_err(ApplyError::from)?;
        let mut compared = ComparedHeads {
            unchanged: HashSet::new(),
            changed: Vec::new(),
        };
        loop {
            let limit = HEADS_PER_STATEMENT;
            let heads =
                transaction.summarized_heads(organization, &scope.owner, kind, after, limit);
            let heads = heads.await?;
            let is_last = heads.len() < usize::try_from(limit).unwrap_or_default();
            after = heads.last().map(|last| last.head.id);
            let grown = self.grow(&mut reserved, heads.len() * CANDIDATE_BYTES);
            grown.map_err(ApplyError::from)?;
            for head in heads {
                let is_seen = seen.versions.get(&head.head.id) == Some(&head.head.version);
                // The value of a head that was compared is not opened again.
                let scope = SearchScope {
                    needs_values: !is_seen,
                    ..scope
                };
                let verdict = self.verify_candidate(scope, head).await;
                match verdict.map_err(ApplyError::from)? {
                    Verdict::Damaged(_) => {
                        return Err(ApplyError::from(ServiceError::Internal).into());
                    }
                    Verdict::Deleted(head) => open.add_head(&mut set, head),
                    Verdict::Found(head, candidate) => {
                        open.add_head(&mut set, head);
                        if is_seen {
                            compared.unchanged.insert(candidate.reference.id);
                        } else {
                            compared.changed.push(candidate);
                        }
                    }
                }
            }
            if is_last {
                break;
            }
        }
        if open.has_heads_of(kind, &set) {
            return Ok(compared);
        }
        // The owner is locked: no write explains the difference.
        let reason = "the heads of a type do not match the set of their owner";
        let tampering = Tampering::report("resources", reason, organization, scope.owner.patient());
        Err(ApplyError::from(tampering).into())
    }
}

impl ComparedHeads {
    /// Whether a condition still finds what it found.
    pub(super) fn confirm(&self, evidence: &Evidence, basis: &HeadBasis) -> bool {
        let before: BTreeSet<_> = evidence.found.iter().map(|it| it.id).collect();
        let kept = |id: &Uuid| evidence.is_own(*id) || self.unchanged.contains(id);
        let mut now: BTreeSet<_> = before.iter().copied().filter(kept).collect();
        for candidate in &self.changed {
            let id = candidate.reference.id;
            if evidence.is_own(id) {
                continue;
            }
            match candidate.values.as_ref().map(|it| basis.query.matches(it)) {
                Some(Match::No) => {}
                Some(Match::Yes) => {
                    now.insert(id);
                }
                // The search is repeated, which opens the body.
                Some(Match::OpenBody) | None => return false,
            }
        }
        now == before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use fhir::Reference;
    use fhir::Resource;
    use fhir::ResourceType;
    use fhir::VersionMeta;
    use fhir::search::ResourceQuery;
    use fhir::search::SearchValues;
    use phi::Owner;
    use serde_json::json;
    use time::OffsetDateTime;

    use super::super::conditions::Basis;
    use super::super::conditions::Found;
    use super::super::conditions::OwnWrites;
    use super::*;
    use crate::services::budget::Budget;
    use crate::services::budget::CallerId;

    const SEEN: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn reference(id: Uuid) -> Reference {
        Reference {
            resource_type: ResourceType::Practitioner,
            id,
        }
    }

    /// The evidence of a condition on the identifier `wanted` that found these resources.
    fn evidence(found: &[Uuid], own: &[Uuid]) -> Evidence {
        let base = "https://records.example/fhir";
        let kind = ResourceType::Practitioner;
        let query = ResourceQuery::parse(kind, base, b"identifier=s%7Cwanted", None).unwrap();
        let reserved = Budget::of_memory().reserve(CallerId::for_tests(1), 0);
        let meta = VersionMeta {
            version: 1,
            last_updated: OffsetDateTime::UNIX_EPOCH,
        };
        let own_writes = OwnWrites::default();
        for id in own {
            own_writes.add(reference(*id));
        }
        let seen = SeenHeads::new(HeadSet::default(), HashMap::new(), reserved.unwrap());
        Evidence {
            found: found.iter().map(|id| Found { id: *id, meta }).collect(),
            basis: Basis::Heads(HeadBasis {
                query: Box::new(query),
                seen: Arc::new(seen),
            }),
            own_writes,
        }
    }

    /// A changed head of a practitioner with this identifier.
    fn changed(id: Uuid, identifier: &str) -> Candidate {
        let identifier = json!([{"system": "s", "value": identifier}]);
        let resource = json!({"resourceType": "Practitioner", "identifier": identifier});
        let resource = Resource::from_stored_bytes(resource.to_string().as_bytes()).unwrap();
        Candidate {
            reference: reference(id),
            owner: Owner::Organization,
            version: 2,
            last_updated: OffsetDateTime::UNIX_EPOCH,
            values: Some(SearchValues::of(&resource)),
        }
    }

    fn holds(evidence: &Evidence, unchanged: &[Uuid], changed: Vec<Candidate>) -> bool {
        let heads = ComparedHeads {
            unchanged: unchanged.iter().copied().collect(),
            changed,
        };
        let Basis::Heads(basis) = &evidence.basis else {
            panic!("a condition on heads")
        };
        heads.confirm(evidence, basis)
    }

    #[test]
    fn a_condition_holds_while_it_finds_the_same() {
        let (none, one) = (evidence(&[], &[]), evidence(&[SEEN], &[]));
        assert!(holds(&none, &[SEEN], vec![changed(OTHER, "another")]));
        assert!(!holds(&none, &[SEEN], vec![changed(OTHER, "wanted")]));
        assert!(holds(&one, &[SEEN], vec![changed(OTHER, "another")]));
        // A new version that still has the identifier.
        assert!(holds(&one, &[], vec![changed(SEEN, "wanted")]));
        assert!(!holds(&one, &[], vec![changed(SEEN, "another")]));
        // Deleted.
        assert!(!holds(&one, &[], Vec::new()));
        assert!(!holds(&one, &[SEEN], vec![changed(OTHER, "wanted")]));
    }

    #[test]
    fn a_resource_whose_values_do_not_decide_repeats_the_search() {
        let undecided = Candidate {
            values: None,
            ..changed(OTHER, "another")
        };
        assert!(!holds(&evidence(&[], &[]), &[], vec![undecided]));
    }

    #[test]
    fn what_the_same_request_has_written_is_not_compared() {
        let none = evidence(&[], &[OTHER]);
        assert!(holds(&none, &[], vec![changed(OTHER, "wanted")]));
        let one = evidence(&[SEEN], &[SEEN]);
        assert!(holds(&one, &[], Vec::new()));
        assert!(holds(&one, &[], vec![changed(SEEN, "another")]));
    }

    #[test]
    fn a_repeated_search_keeps_what_was_found_of_own_writes() {
        let ids = |evidence: &Evidence| evidence.found.iter().map(|it| it.id).collect::<Vec<_>>();
        let before = evidence(&[SEEN], &[SEEN]);
        assert_eq!(ids(&evidence(&[], &[SEEN]).after(&before)), [SEEN]);
        let before = evidence(&[], &[OTHER]);
        let after = evidence(&[OTHER, SEEN], &[OTHER]).after(&before);
        assert_eq!(ids(&after), [SEEN]);
    }
}
