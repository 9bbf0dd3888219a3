-- 0024_joint_packs.sql: samples of several series to a row, where each has few at a time; programs of before do not know them.

-- runs of samples of neighbouring series, those whose ids have the same quotient by 16. What it holds of a series is later than what an earlier pack of either kind does
create table joint_packs (
  group_id integer not null,
  until_us integer not null, -- of the latest sample here, but always later than that of the pack before; the packs after it begin a minute earlier at most
  from_us integer not null,  -- of the first sample
  row_count integer not null,
  body blob not null,        -- the form of joint.go
  primary key (group_id, until_us)
) without rowid;
