-- An operator has its own rights where a reviewer's link would let in.
-- Mutant: _check_subject: `subject ~ '^role ' and` -> `false and`
--@ o operator_o is=ZA004 must
select agentdb.map_person('role reviewer_r', 'operator_o');
