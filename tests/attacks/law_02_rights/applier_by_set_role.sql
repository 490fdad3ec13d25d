-- A reviewer becomes the role that writes guarded tables.
-- Mutant: sql: grant agentdb_applier to reviewer_r
--@ r reviewer_r is=42501 must
set role agentdb_applier;

