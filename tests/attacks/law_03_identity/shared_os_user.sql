-- A process speaks for one of two agents that run as its user.
-- Mutant: agent_of_os_user: `having count(*) = 1` -> `having count(*) >= 1`
--@ o operator_o
select agentdb.set_os_user('a', 'worker'), agentdb.set_os_user('b', 'worker');
--@ i intake_i unlike=^a must
select coalesce((select agentdb.agent_of_os_user('worker')), '(none)');
