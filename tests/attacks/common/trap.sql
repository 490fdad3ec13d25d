-- A trap: a schema of the agent with operators and functions that are called like
-- PostgreSQL's own and note whose rights they run with.
create table work.stolen (who name, what text);
grant usage on schema work to public;
grant insert on work.stolen to public;
do $trap$
declare
  v_type text;
  v_sign text;
begin
  foreach v_type in array '{bigint,integer,text,name,boolean,interval,timestamptz,jsonb}'::text[]
  loop
    foreach v_sign in array '{=,<>,<,>,<=,>=}'::text[] loop
      execute format($f$
        create function work.f_%3$s (%1$s, %1$s) returns boolean language plpgsql as $b$
        begin
          insert into work.stolen values (current_user, %4$L);
          return $1 operator(pg_catalog.%2$s) $2;
        end $b$;
        create operator work.%2$s (leftarg = %1$s, rightarg = %1$s, function = work.f_%3$s)
        $f$, v_type, v_sign,
        v_type || '_' || array_position('{=,<>,<,>,<=,>=}'::text[], v_sign),
        v_type || ' ' || v_sign);
    end loop;
  end loop;
  foreach v_sign in array '{~,!~,~*,!~*}'::text[] loop
    execute format($f$
      create function work.m_%2$s (text, text) returns boolean language plpgsql as $b$
      begin
        insert into work.stolen values (current_user, %1$L);
        return $1 operator(pg_catalog.%1$s) $2;
      end $b$;
      create operator work.%1$s (leftarg = text, rightarg = text, function = work.m_%2$s)
      $f$, v_sign, array_position('{~,!~,~*,!~*}'::text[], v_sign));
  end loop;
end $trap$;
create function work.clock_timestamp () returns timestamptz language plpgsql as $b$
begin
  insert into work.stolen values (current_user, 'clock_timestamp');
  return pg_catalog.clock_timestamp();
end $b$;
create function work.jsonb_typeof (jsonb) returns text language plpgsql as $b$
begin
  insert into work.stolen values (current_user, 'jsonb_typeof');
  return pg_catalog.jsonb_typeof($1);
end $b$;
create function work.set_config (text, text, boolean) returns text language plpgsql as $b$
begin
  insert into work.stolen values (current_user, 'set_config');
  return pg_catalog.set_config($1, $2, $3);
end $b$;
create function work.pg_has_role (name, name, text) returns boolean language plpgsql as $b$
begin
  insert into work.stolen values (current_user, 'pg_has_role');
  return pg_catalog.pg_has_role($1, $2, $3);
end $b$;
