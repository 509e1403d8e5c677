//! Decides which core instances of a component are merged.
//!
//! Instances are merged in runs: whatever can be observed between two instances, such as code of a
//! third one, must stay between them, so it ends a run. If a check fails for a member of a run, the
//! member stays, and the decision begins again without it.

use std::collections::{BTreeMap, HashSet};

use super::facts::Whole;
use super::graph::{Entity, Kind, Node};
use super::group::{Group, Target};
use super::legality::{Starts, Violation, check, check_slots, gains};
use super::level::{Runs, What};
use super::links;
use super::module::Space;
use super::reach::{Reached, reach};
use super::reason::Reason;
use super::size;

/// How often a decision begins again. Real programs have one or two members that stay.
const MOST_ROUNDS: usize = 32;

/// How many entries are looked at at most. All of them are looked at for each group, and again each
/// time that the decision begins again. A program with 75 instances has some 30,000 entries, and
/// few groups.
const MOST_LOOKS: usize = 16 << 20;

/// The groups of a component.
pub(super) struct Plan {
    pub(super) groups: Vec<Group>,
    /// For each group, when its start functions run.
    pub(super) starts: Vec<Starts>,
    pub(super) reached: Reached,
    /// Why the other instances of core modules stay.
    pub(super) kept: BTreeMap<Node, Reason>,
}

/// Decides for a component. Without groups, nothing is merged.
pub(super) fn plan(whole: &Whole<'_, '_>) -> Option<Plan> {
    let mut kept = BTreeMap::new();
    for node in whole.graph.instances() {
        let reason = whole.facts(node).and_then(|facts| facts.reason);
        kept.extend(reason.map(|reason| (node, reason)));
    }
    let entries = whole.level.items.len().saturating_add(whole.graph.size());
    let mut looks = 0usize;
    for _ in 0..MOST_ROUNDS {
        let runs = runs(whole, &kept);
        let several = runs.iter().filter(|run| run.members.len() > 1);
        looks = looks.saturating_add(several.clone().count().saturating_mul(entries));
        if looks > MOST_LOOKS {
            return nothing(whole, kept, Reason::TooLarge);
        }
        let groups: Vec<Group> = several
            .map(|run| {
                let members = run.members.clone();
                let links = links::find(whole, &members);
                Group::new(whole, members, links)
            })
            .collect();
        match decide(whole, &groups)? {
            Ok((reached, starts)) => {
                for run in runs.iter().filter(|run| run.members.len() < 2) {
                    let alone = run.members.iter().map(|node| (*node, run.reason));
                    kept.extend(alone);
                }
                return Some(Plan {
                    groups,
                    starts,
                    reached,
                    kept,
                });
            }
            Err(violations) => kept.extend(violations),
        }
    }
    nothing(whole, kept, Reason::TooManyReasons)
}

/// The plan to merge nothing, for this reason.
fn nothing(
    whole: &Whole<'_, '_>,
    mut kept: BTreeMap<Node, Reason>,
    reason: Reason,
) -> Option<Plan> {
    for node in whole.graph.instances() {
        kept.entry(node).or_insert(reason);
    }
    Some(Plan {
        groups: Vec::new(),
        starts: Vec::new(),
        reached: reach(whole, &[])?,
        kept,
    })
}

/// What is used of the groups, and when start functions run; or the members that must stay.
type Decision = Result<(Reached, Vec<Starts>), Vec<Violation>>;

/// Checks all groups. `None` if something is not understood.
fn decide(whole: &Whole<'_, '_>, groups: &[Group]) -> Option<Decision> {
    // One member of each group may stay: groups do not depend on each other's members.
    let violations = groups.iter().filter_map(|group| check(whole, group).err());
    let violations: Vec<Violation> = violations.collect();
    if !violations.is_empty() {
        return Some(Err(violations));
    }
    let mut reached = reach(whole, groups)?;
    let mut starts = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let border = reached.borders.get(number)?;
        let found = match check_slots(whole, group, border) {
            Ok(found) => found,
            Err(violation) => return Some(Err(vec![violation])),
        };
        let all = |reason: Reason| {
            let members = group.members.iter();
            members.map(|node| (*node, reason)).collect()
        };
        if !gains(group, border, &found) {
            return Some(Err(all(Reason::NoGain)));
        }
        let too_large = if !size::is_valid(whole, group, &reached, number)? {
            Some(Reason::TooLarge)
        } else if !size::fits(whole, group, &reached, number)? {
            Some(Reason::InstanceSize)
        } else {
            None
        };
        if let Some(reason) = too_large {
            let last = group.members.last();
            let last = last.map(|node| (*node, reason));
            return Some(Err(last.into_iter().collect()));
        }
        // Another module calls these start functions.
        for node in &found.after {
            let start = whole.graph.module(*node)?.start?;
            let entity = whole.graph.resolve(*node, Space::Func, start)?;
            if let Target::Member(node, space, index) = group.inside(entity).target {
                let border = reached.borders.get_mut(number)?;
                border.exported.insert((node, space, index));
            }
        }
        starts.push(found);
    }
    Some(Ok((reached, starts)))
}

/// Instances with nothing between them that could be observed.
struct Run {
    members: Vec<Node>,
    /// Why there are not more of them.
    reason: Reason,
    memories: HashSet<Entity>,
    most_memories: usize,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            reason: Reason::NoGain,
            memories: HashSet::new(),
            most_memories: 1,
        }
    }
}

/// The runs of instances that may be merged.
fn runs(whole: &Whole<'_, '_>, kept: &BTreeMap<Node, Reason>) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut run = Run::default();
    for (number, item) in whole.level.items.iter().enumerate() {
        let ends = match &item.what {
            What::Other(Runs::Code) | What::Section(Runs::Code) => true,
            What::CoreInstance(_) => match whole.graph.node_of(Some(number)) {
                None => true,
                Some(node) if is_group(whole, node) => false,
                Some(node) if kept.contains_key(&node) => !whole.is_inert(node),
                Some(node) => {
                    let own = whole.distinct(node, Space::Memory);
                    let together = run.memories.union(&own).count();
                    if together > run.most_memories.max(own.len()) {
                        run.reason = Reason::Memories;
                        runs.push(std::mem::take(&mut run));
                        run.reason = Reason::Memories;
                    }
                    run.most_memories = run.most_memories.max(own.len());
                    run.memories.extend(own);
                    run.members.push(node);
                    false
                }
            },
            _ => false,
        };
        if ends {
            runs.push(std::mem::take(&mut run));
        }
    }
    runs.push(run);
    runs
}

fn is_group(whole: &Whole<'_, '_>, node: Node) -> bool {
    let kind = whole.graph.node(node).map(|node| &node.kind);
    matches!(kind, Some(Kind::Group(..)))
}
