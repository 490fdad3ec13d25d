-- A reviewer makes somebody whom an operator has mapped act as itself.
-- Mutant: map_person: `where agentdb._may_map(p.role_name) or not exists (` -> `where true or not exists (`
--@ o operator_o
select agentdb.map_person('ann', 'operator_o');
--@ r reviewer_r is=42501 must
select agentdb.map_person('ann', 'reviewer_r');
