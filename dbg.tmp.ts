import { Client, startBalancer, TestBackend } from "./tests/balancer/cluster.ts";
const b = new TestBackend("s1").start();
const p = await startBalancer(b.id,{door:{perAddress:2,newPerSecond:0,limitLoopback:true}});
await Bun.sleep(300);
const cs = await Promise.all([1,2,3].map(()=>Client.to(p.at)));
await Bun.sleep(300);
console.log(cs.map(c=>[c.lines,c.bare.events]), (await p.balancer.snapshot()).connections,(await p.balancer.snapshot()).refused);
for (const c of cs) c.stop();
await Bun.sleep(300);
console.log(cs.map(c=>[c.lines,c.bare.events]), (await p.balancer.snapshot()).connections);
await Bun.sleep(3000);
console.log((await p.balancer.snapshot()).connections);
process.exit()
