import React, {useState, useEffect, memo} from "react";
import {render, Box, Text, useCursor} from "ink";
const cols=160, rows=50;
let setF: (f:string[])=>void;
const Row = memo(({t}:{t:string}) => React.createElement(Text,{wrap:"truncate"},t));
function App(){ const [f,s]=useState<string[]>([]); setF=s; const {setCursorPosition}=useCursor(); setCursorPosition({x:5,y:rows-1});
 return React.createElement(Box,{flexDirection:"column",height:rows,width:cols}, f.map((t,i)=>React.createElement(Row,{key:i,t})));}
const times:number[]=[];
const mode=process.argv[2];
const one = mode==="one";
function App1(){ const [f,s]=useState<string[]>([]); setF=s; 
 return React.createElement(Box,{height:rows,width:cols}, React.createElement(Text,{wrap:"truncate"}, f.join("\n")));}
const i=render(React.createElement(one?App1:App),{alternateScreen:true,incrementalRendering:true,maxFps:1000,exitOnCtrlC:false,patchConsole:false, onRender:(m)=>times.push(m.renderTime)});
let n=0; const all:number[]=[];
const line=(k:number)=>`\x1b[2m12:03\x1b[22m \x1b[38;5;${31+k%40}mana${k%10}\x1b[39m: `+("hello there this is message "+k+" 日本 👋 ").repeat(2)+`\x1b]8;;https://example.org/${k}\x1b\\link\x1b]8;;\x1b\\`;
const tick=()=>{ const t=performance.now(); const f=[]; for(let r=0;r<rows-1;r++) f.push(line(n+r)); f.push("> typed "+n); setF(f); n++;
 setImmediate(()=>setTimeout(()=>{all.push(performance.now()-t); if(n<200) tick(); else {i.unmount(); times.sort((a,b)=>a-b); all.sort((a,b)=>a-b); process.stderr.write(`${mode} render p50 ${times[times.length>>1]} p99 ${times[Math.floor(times.length*.99)]} n ${times.length} | loop p50 ${all[all.length>>1]}\n`);}},5)); };
tick();
