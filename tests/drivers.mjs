// Reads [statement, values] a line, executes each, and answers with its rows.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.NODE_PATH + "/");
const { host, port, user, dbname } = JSON.parse(process.env.PARTS);

async function ofPg() {
  const { Client } = require("pg");
  const client = new Client({ host, port: Number(port), user, database: dbname });
  await client.connect();
  return {
    ask: async (text, values) =>
      (await client.query({ text, values, rowMode: "array" })).rows,
    end: () => client.end(),
  };
}

async function ofPostgres() {
  const postgres = require("postgres");
  const path = host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : undefined;
  const options = { user, database: dbname, prepare: false, max: 1 };
  const sql = postgres(path ? { ...options, path } : { ...options, host, port });
  return {
    ask: (text, values) => sql.unsafe(text, values).values(),
    end: () => sql.end(),
  };
}

const client = await (process.argv[2] === "pg" ? ofPg() : ofPostgres());
for await (const line of createInterface({ input: process.stdin })) {
  const [text, values] = JSON.parse(line);
  try {
    const rows = await client.ask(text, values);
    console.log(JSON.stringify({ rows: rows.map((row) => Object.values(row)) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await client.end();
