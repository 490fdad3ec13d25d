-- Somebody is a member of the role that will own everything, and could rewrite the protections.
-- Mutant: file alembic/before.sql: `and m.member <> quote_ident(current_user)::regrole` -> `and false`
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
grant agentdb_owner to owner_2;
--@ i cli:installer is=1 must
install --dsn ${other}
