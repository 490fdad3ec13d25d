-- An operator reads the hashes of the links with which others are let in to the page.
-- Mutant: sql: grant select on agentdb.web_link to operator_o
--@ r reviewer_r
select agentdb.make_web_link();
--@ o operator_o is=42501 must
select * from agentdb.web_link;
