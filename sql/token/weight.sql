-- What tokens weigh: cached input and output are paid for at other rates.

create or replace function agentdb._weight (
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  cached_weight double precision,
  output_weight double precision
)
  returns double precision
  language sql
  immutable
  parallel safe
  return input_tokens + cached_weight * cached_input_tokens
    + output_weight * output_tokens;

comment on function agentdb._weight (
  bigint, bigint, bigint, double precision, double precision) is
  'Tokens as they are paid for, in uncached input tokens.';
