// Drives a ksqlDB server with the npm package ksqldb-client and prints, as one JSON object, what each step answered.
// Arguments: port of the server on 127.0.0.1, beginning of all topics' names. The name of each step goes to stderr first.
"use strict";

const KsqldbClient = require("ksqldb-client");

const PATIENCE_MS = 120_000;
const EARLIEST = { "auto.offset.reset": "earliest" };

const [port, prefix] = process.argv.slice(2);
const client = new KsqldbClient({ host: "http://127.0.0.1", port: Number(port), timeout: PATIENCE_MS });
const answers = {};

async function step(name, action) {
    console.error(`step: ${name}`);
    answers[name] = await action();
    return answers[name];
}

async function until(poll, wanted) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
        const answer = await poll();
        if (wanted(answer)) return answer;
        if (Date.now() > end) throw new Error(`never as wanted: ${JSON.stringify(answer)}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

async function statements() {
    await step("no_streams", () => client.listStreams());
    await step("create_stream", () =>
        client.executeStatement(
            "CREATE STREAM ${name} (k VARCHAR KEY, n INT, s VARCHAR) " +
                `WITH (KAFKA_TOPIC='${prefix}clicks', VALUE_FORMAT='JSON', PARTITIONS=1);`,
            { sessionVariables: { name: "clicks" } },
        ),
    );
    await step("create_table", () =>
        client.executeStatement(
            `CREATE TABLE counts WITH (KAFKA_TOPIC='${prefix}counts') AS ` +
                "SELECT k, COUNT(*) AS n, SUM(n) AS total FROM clicks GROUP BY k EMIT CHANGES;",
            { streamsProperties: EARLIEST },
        ),
    );
    await step("streams", () => client.listStreams());
    await step("tables", () => client.listTables());
    await step("topics", async () => (await client.listTopics()).filter((topic) => topic.name.startsWith(prefix)));
    await step("queries", () => client.listQueries());
    await step("described", () => client.describeSource("clicks"));
    await step("refused", () => client.executeStatement("CREATE STREAM clicks_too AS SELECT * FROM nosuch;"));
}

async function inserts() {
    for (const [index, row] of [{ K: "a", N: 1, S: "one" }, { K: "a", N: 2 }, { K: "b", N: 5, S: "five" }].entries()) {
        await step(`insert_${index}`, () => client.insertInto("clicks", row));
    }
    await step("insert_refused", () => client.insertInto("clicks", { K: "a", N: "many" }));
}

// The client reads a row from each piece that arrives: several rows that are there at once must come in pieces of their own.
async function queries() {
    const limited = [];
    await step("push_limited", () =>
        client.streamQuery("SELECT k, n, s FROM clicks EMIT CHANGES LIMIT 3;", ({ rows }) => limited.push(...(rows ?? [])), {
            properties: EARLIEST,
        }),
    );
    answers.push_limited_rows = limited;

    let queryId;
    const followed = [];
    const ended = client.streamQuery("SELECT k, n FROM clicks EMIT CHANGES;", ({ metadata, rows }) => {
        queryId = metadata.queryId;
        followed.push(...(rows ?? []));
    });
    await step("push_begins", () => until(async () => queryId, Boolean));
    await step("insert_while_pushed", () => client.insertInto("clicks", { K: "b", N: 6 }));
    await step("pushed", () => until(async () => followed, (rows) => rows.length === 1));
    await step("push_closed", () => client.terminatePushQuery(queryId));
    await step("push_ended", () => ended);
    await step("push_closed_twice", () => client.terminatePushQuery(queryId));

    const pull = (key) => client.query("SELECT * FROM counts WHERE k = '${key}';", { sessionVariables: { key } });
    await step("pulled", () => until(() => pull("b"), ({ data }) => data?.rows[0]?.N === 2));
    await step("pulled_nothing", () => pull("nobody"));
    await step("pull_refused", () => client.query("SELECT * FROM nosuch;"));
}

async function ends() {
    await step("terminated", () => client.executeStatement(`TERMINATE ${answers.queries[0].id};`));
    await step("table_dropped", () => client.executeStatement("DROP TABLE counts DELETE TOPIC;"));
    await step("stream_dropped", () => client.executeStatement("DROP STREAM clicks DELETE TOPIC;"));
    await step("streams_left", () => client.listStreams());
    await step("queries_left", () => client.listQueries());
}

async function main() {
    await client.connect();
    await statements();
    await inserts();
    await queries();
    await ends();
    await client.disconnect();
    process.stdout.write(JSON.stringify(answers));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
