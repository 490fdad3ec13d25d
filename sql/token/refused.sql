-- What a budget refused.  It is a result and no error, so it can be recorded: a row for
-- a run, a scope and a minute, however often it asks.

-- Whoever only waits for its own reservations to be settled has not spent its budget.
create or replace function agentdb._note_budget_refusal (
  run bigint,
  agent bigint,
  conversation text,
  scope text,
  asked bigint,
  tokens_left bigint,
  spent boolean
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into agentdb.budget_refusal as f (
    run_id, scope, minute_at, agent_id, conversation, asked, tokens_left, spent,
    first_at, last_at
  )
  values (
    run, _note_budget_refusal.scope, date_bin('1 minute', v_now, 'epoch'), agent,
    _note_budget_refusal.conversation, _note_budget_refusal.asked,
    _note_budget_refusal.tokens_left, _note_budget_refusal.spent, v_now, v_now
  )
  on conflict on constraint budget_refusal_pkey do update
  set refusals = f.refusals + 1,
      asked = excluded.asked,
      tokens_left = excluded.tokens_left,
      spent = f.spent or excluded.spent,
      last_at = excluded.last_at;
end;
$$;

comment on function agentdb._note_budget_refusal (
  bigint, bigint, text, text, bigint, bigint, boolean) is
  'Records that a budget refused a run.';


create or replace function agentdb._note_spent_budget (
  run bigint,
  agent bigint,
  conversation text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._note_budget_refusal(
    run, agent, _note_spent_budget.conversation, b.scope, null, 0, true)
  from agentdb._budget(run, agent, _note_spent_budget.conversation) as b
  where (b.spent >= b.max_tokens or b.cost >= b.max_cost)
    and run is not null
  order by b.scope
  limit 1;
end;
$$;

comment on function agentdb._note_spent_budget (bigint, bigint, text) is
  'Records that a run was refused a call, for its budget is spent.';
