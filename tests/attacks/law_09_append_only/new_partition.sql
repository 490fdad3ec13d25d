-- A partition that is made for a new day may be emptied by its own name.
-- Mutant: _add_partition: `execute format( 'create trigger agentdb_no_truncate before truncate on agentdb.%I for each statement execute function agentdb._refuse_rewrite()', v_name );` -> ``
--@ p postgres save=part
select 'agentdb.' || agentdb._add_partition('audit_log', current_date + 40);
--@ p postgres is=ZA008 must
truncate ${part};
