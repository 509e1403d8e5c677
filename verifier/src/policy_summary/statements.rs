//! What a policy demands beside artifacts, and a root's orders, in words.

use super::Row;
use crate::pattern;
use crate::policy::TrustPolicy;
use crate::role::Role;

impl TrustPolicy {
    /// The statements beside artifacts that the policy demands, and a root's orders.
    pub(super) fn statement_rows(&self) -> Vec<Row> {
        let demand = |role: Role| {
            let keys: Vec<&String> = self.keys_with(role).map(|key| &key.name).collect();
            let text = match self.demanded(role) {
                Some(threshold) => format!("required, {threshold} of {}", pattern::join(&keys)),
                None => "not asked for".to_owned(),
            };
            (role.name(), text)
        };
        let roles = Role::ALL.into_iter().filter(|role| *role != Role::Artifact);
        let mut rows: Vec<Row> = roles.map(demand).collect();
        for reset in &self.resets {
            let channel = reset.channel.as_ref();
            let channel = channel.map(|it| format!(" of channel `{it}`"));
            let text = format!(
                "number {}: `{}`{} to version {}, serial {}",
                reset.number,
                reset.application,
                channel.unwrap_or_default(),
                reset.version,
                reset.serial
            );
            rows.push(("reset", text));
        }
        if let Some(reset) = self.clock_reset {
            let text = format!("number {}: the clock to {}", reset.number, reset.to);
            rows.push(("reset", text));
        }
        if self.policy_expiry_required {
            rows.push(("policies expire", "required".to_owned()));
        }
        rows
    }
}
