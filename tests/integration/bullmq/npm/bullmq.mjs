// BullMQ itself, for the tests: `node bullmq.mjs fill|count <port>`.
//
// `fill` leaves at least one job in every place where BullMQ keeps jobs; `count` prints what BullMQ says is there.
import { FlowProducer, Queue, Worker } from "bullmq";

const [what, port] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(port) };
const names = ["orders", "payments", "inventory", "notifications"];
const queues = Object.fromEntries(names.map((name) => [name, new Queue(name, { connection })]));
const shipped = (number) => ({ order_id: `o-${number}`, carrier: "DHL", tracking_number: `t-${number}` });
const refund = (number) => ({ refund_id: `r-${number}`, order_id: `o-${number}`, reason: "damaged" });
const mail = (text) => ({ to: "ada@example.com", subject: "Hello", text });

async function fill() {
  const { orders, payments, notifications } = queues;
  for (const number of [1, 2, 3]) await orders.add("ORDER_SHIPPED", shipped(number));
  await orders.add("ORDER_SHIPPED", shipped(4), { priority: 5 });
  await orders.add("ORDER_CANCELLED", { order_id: "o-5", reason: "changed_mind" }, { priority: 1 });
  await orders.add("ORDER_SHIPPED", shipped(6), { delay: 86_400_000 });
  await orders.add("ORDER_SHIPPED", shipped(7), { delay: 3_600_000, priority: 2, jobId: "later-grüße" });
  await orders.add("ORDER_SHIPPED", { orderId: 8 });
  await orders.add("order.closed", { order_id: "o-9" });
  await orders.add("ORDER_SHIPPED", shipped(10), { deduplication: { id: "d10" } });
  await orders.upsertJobScheduler("nightly", { every: 3_600_000 }, { name: "ORDER_SHIPPED", data: shipped(11) });

  await payments.add("PAYMENT_REFUNDED", refund(1));
  await payments.pause();
  await payments.add("PAYMENT_REFUNDED", refund(2), { attempts: 5 });

  for (const text of ["runs", "fails"]) await notifications.add("SEND_EMAIL", mail(text));
  await notifications.add("SEND_EMAIL", mail("is tried again"), { attempts: 3, backoff: 600_000 });
  const work = async (job) => {
    if (job.data.text === "runs") await new Promise(() => {});
    throw new Error("no");
  };
  new Worker("notifications", work, { connection, concurrency: 3 });
  while ((await notifications.getDelayedCount()) + (await notifications.getFailedCount()) < 2);

  const children = [{ name: "ORDER_SHIPPED", queueName: "inventory", data: shipped(21) }];
  await new FlowProducer({ connection }).add({ name: "ORDER_SHIPPED", queueName: "inventory", data: shipped(20), children });
}

async function count() {
  const states = ["wait", "paused", "prioritized", "delayed", "active", "failed", "waiting-children"];
  const counts = {};
  for (const name of names) counts[name] = await queues[name].getJobCounts(...states);
  console.log(JSON.stringify(counts));
}

await { fill, count }[what]();
process.exit(0); // the worker dies with its job
